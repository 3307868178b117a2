-- Brings updates to the webhooks of bots: those of a chat one after the other, chats side by side,
-- each again and again until the host answers 2xx (Bot API, setWebhook).

local failure = require "parley.sim.telegram.failure"
local http = require "host.http_client"
local json = require "host.json"
local task = require "host.task"
local world = require "parley.sim.telegram.world"

local M = {}
M.__index = M

local PAUSE_S, PAUSE_MAX_S = 0.2, 60 -- between attempts at one update

---@param sim table
---@param opts {timeout: number|nil, pause_max: number|nil}|nil
function M.new(sim, opts)
  opts = opts or {}
  return setmetatable({
    sim = sim, timeout = opts.timeout or 60, pause_max = opts.pause_max or PAUSE_MAX_S, tasks = {},
  }, M)
end

-- Why nobody has answered, in Telegram's words.
local WORDS = {
  resolve = "Failed to resolve host: Name or service not known", connect = "Connection refused",
  timeout = "Read timeout expired",
}

local function words(err)
  if err.code == "tls" then return ("SSL error {%s}"):format(err.message) end
  return WORDS[err.code] or err.message
end

-- One update is over when the host has it. What it answers may itself be a call of a method.
local function deliver(self, bot, hook, update)
  local pause = PAUSE_S
  while bot.webhook == hook do
    local r, err = http.request {
      method = "POST", url = hook.url, body = json.encode(update), timeout = self.timeout,
      allow_private = true, ca = hook.certificate, -- it trusts no other then
      headers = {
        ["Content-Type"] = "application/json", ["X-Telegram-Bot-Api-Secret-Token"] = hook.secret,
      },
    }
    if r and r.status >= 200 and r.status < 300 then
      local given = r.body ~= "" and json.decode(r.body)
      if type(given) == "table" and given.method then
        self.sim:call(bot, given.method, given, {})
      end
      return true
    end
    hook.last_error_date = self.sim.world:now()
    hook.last_error_message = r and ("Wrong response from the webhook: %d %s"):format(r.status,
      failure.title(r.status)) or words(err)
    task.sleep(pause)
    pause = math.min(pause * 2, self.pause_max)
  end
end

-- Whose updates wait for each other: those of a chat, or of a person where there is none.
local function lane_of(update)
  for _, part in pairs(update) do
    local message = type(part) == "table" and (part.message or part)
    local place = message and (message.chat or part.from)
    if place then return place.id end
  end
  return "none"
end

local function forget_delivered(bot)
  while bot.first <= bot.last and bot.delivered[bot.updates[bot.first]] do
    bot.delivered[bot.updates[bot.first]], bot.updates[bot.first] = nil, nil
    bot.first = bot.first + 1
  end
end

-- As many chats at a time as the bot allows; updates leave the queue in order.
local function run(self, bot, hook)
  local at_work, free, lanes = 0, task.cond(), {}
  local function work(id)
    local lane, i = lanes[id], 1
    while lane[i] and deliver(self, bot, hook, lane[i]) do
      bot.delivered[lane[i]] = true
      forget_delivered(bot)
      i = i + 1
    end
    lanes[id], at_work = nil, at_work - 1
    free:broadcast()
  end
  local next_index = bot.first
  while bot.webhook == hook do
    if next_index < bot.first then next_index = bot.first end
    local update = bot.updates[next_index]
    local id = update and lane_of(update)
    if not update then
      bot.taken:wait(1)
    elseif not lanes[id] and at_work >= hook.max_connections then
      free:wait(1)
    else
      next_index = next_index + 1
      if lanes[id] then
        lanes[id][#lanes[id] + 1] = update
      else
        lanes[id], at_work = { update }, at_work + 1
        task.spawn(work, id)
      end
    end
  end
end

---Begins to bring a bot's updates to the webhook that it has now.
function M:begin(bot)
  local hook = bot.webhook
  self.tasks[#self.tasks + 1] = task.spawn(run, self, bot, hook)
end

function M:close()
  for _, bot in pairs(self.sim.world.bots) do bot.webhook = nil end
  for _, t in ipairs(self.tasks) do t:cancel() end
end

---Brings one update again that was taken already, as Telegram does after a lost answer.
function M:again(bot, update)
  if bot.webhook then
    task.spawn(deliver, self, bot, bot.webhook, update)
  else
    world.enqueue(bot, update)
  end
end

return M
