-- Tells Telegram which commands each bot has, in each language, when they are others than it was
-- told before. One worker of all does, when bots or plugins change; what fails is tried again.

local command_list = require "parley.channels.telegram.command_list"
local digest = require "parley.util.digest"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local RETRY_S, LOOK_S = 60, 3600
local AT_ONCE = 4 -- bots
local PATIENCE_S = 30 -- for a retry_after within a round; longer ones wait for the next round

---@param deps {db: table, fleet: table, manager: table, log: function}
function M.new(deps) return setmetatable(deps, M) end

-- The lists of a bot by language; "" is for all others.
local function lists_of(self, bot)
  local generation, lists = self.manager.current, {}
  for _, language in ipairs(command_list.LANGUAGES) do
    lists[language] = command_list.of(generation, bot, language)
  end
  local own = (bot.config.locale or generation.config.locale):match "^%a+"
  lists[""] = lists[own] or command_list.of(generation, bot, own)
  return lists
end

local function call(api, params)
  local ok, err = api:call("setMyCommands", params)
  if ok or err.code ~= "rate_limited" or err.retry_after > PATIENCE_S then return ok, err end
  task.sleep(err.retry_after)
  return api:call("setMyCommands", params)
end

local function tell(self, bot, lists)
  local api = self.fleet:api(bot.name)
  if not api then return nil, { message = "the bot has no token that can be opened" } end
  for language, list in pairs(lists) do
    local ok, err = call(api, {
      commands = list, language_code = language ~= "" and language or nil,
    })
    if not ok then return nil, err end
  end
  return true
end

local NOTE = "INSERT INTO published (sender, what, digest, published_at) "
  .. "VALUES ($1, 'commands', $2, $3) ON CONFLICT (sender, what) DO UPDATE SET "
  .. "digest = excluded.digest, published_at = excluded.published_at"

-- Failures that are not of one bot: there is no use in asking for the others now.
local AWAY = { connect = true, lost = true, unavailable = true }

-- One bot. Returns whether nothing is left to be done, and whether Telegram is away.
local function publish(self, bot, known)
  local lists = lists_of(self, bot)
  local now = digest.short { bot.id or 0, lists } -- another token may be another bot
  if known == now then return true end
  local ok, err = tell(self, bot, lists)
  if ok then ok, err = self.db:commit { { NOTE, "tg:" .. bot.name, now, time.now_ms() } } end
  if ok then
    self.log("info", "commands are published", { bot = bot.name, commands = #lists[""] })
    return true
  end
  self.log("warn", "the commands of a bot are not published, and are tried again", {
    bot = bot.name, error = err.message,
  })
  return false, AWAY[err.code]
end

-- All bots once. Returns whether nothing is left to be done.
local function round(self, lease)
  local rows, err = self.db:query "SELECT sender, digest FROM published WHERE what = 'commands'"
  if not rows then
    self.log("error", "what bots have published cannot be read", { error = err.message })
    return false
  end
  local known, bots, all, away = {}, {}, true, false
  for _, row in ipairs(rows) do known[row.sender] = row.digest end
  for _, bot in self.fleet:each() do
    if bot.state == "active" then bots[#bots + 1] = bot end
  end
  local at, workers = 0, {}
  for i = 1, math.min(AT_ONCE, #bots) do
    workers[i] = task.child(function()
      while at < #bots and not away and lease:held() do
        at = at + 1
        local bot = bots[at]
        local done, gone = publish(self, bot, known["tg:" .. bot.name])
        all, away = all and done, away or gone
      end
    end)
  end
  for _, worker in ipairs(workers) do
    local good, problem = worker:join()
    if not good then error(problem, 0) end
  end
  return all
end

---Publishes while this worker is the one that does; `resting` while there is nothing to do.
---@param lease parley.Lease
function M:run(lease)
  self.lease = lease
  while lease:held() do
    self.again = false
    local all = round(self, lease)
    self.resting = not self.again
    if self.resting then lease:sleep(all and LOOK_S or RETRY_S) end
    self.resting = false
  end
  self.lease = nil
end

---Bots or plugins have changed.
function M:wake()
  self.again = true
  if self.lease then self.lease:wake() end
end

return M
