-- Telegram: a bot is polled, and sends, in one worker of all; whoever else has something for its
-- people stores it, and says so.

local address = require "parley.channels.telegram.address"
local api = require "parley.channels.telegram.api"
local cluster = require "parley.cluster"
local crypto = require "host.crypto"
local intake = require "parley.channels.telegram.intake"
local json = require "host.json"
local outbox = require "parley.channels.outbox"
local poller = require "parley.channels.telegram.poller"
local render = require "parley.channels.telegram.render"
local sender = require "parley.channels.telegram.sender"
local task = require "host.task"

local M = {}
M.__index = M

local RETRY_S = 5

---@param deps {db: table, cluster: table, turn: table, log: function, master: string,
---  config: table} config: telegram of parley.config
function M.new(deps)
  local self = setmetatable(deps, M)
  self.key = crypto.hmac_sha256(deps.master, "callbacks")
  self.senders, self.polling, self.at_work = {}, {}, {}
  return self
end

---Makes updates durable and starts their turns: as parley.channels.telegram.intake says. Polls and
---webhooks bring them here.
---@param bot table
---@param updates table[]
---@return integer|nil taken
---@return table|nil err
function M:take(bot, updates) return intake.take(self, bot, updates) end

-- What there is to send for a bot, from a worker that cannot send.
local function look(self)
  for _, s in pairs(self.senders) do
    local n, err = s:take_up()
    if not n then self.log("error", "the outbox cannot be read", { error = err.message }) end
  end
end

local function lead(self, bot, lease)
  local client = api.new { token = bot.token, url = self.config.api }
  while lease:held() and not bot.username do
    local me, err = client:call("getMe", {})
    if me then
      bot.username = me.username
    else
      self.log("error", "the bot cannot be reached", { bot = bot.name, error = err.message })
      lease:sleep(math.max(RETRY_S, err.retry_after or 0))
    end
  end
  local s = sender.new {
    bot = bot.name, sender = "tg:" .. bot.name, api = client, db = self.db, log = self.log,
  }
  while lease:held() do
    local n, err = s:take_up()
    if n then break end
    self.log("error", "the outbox cannot be read", { bot = bot.name, error = err.message })
    lease:sleep(RETRY_S)
  end
  self.senders[bot.name] = s
  self.log("info", "polling Telegram", { bot = bot.name, username = bot.username })
  -- A task of its own, so that a poll can be cut off when the host stops.
  local polling = task.spawn(poller.run, {
    bot = bot, api = client, lease = lease, log = self.log,
    take = function(updates) return self:take(bot, updates) end,
    busy = function() return self.at_work[bot.name] or 0 end,
  })
  self.polling[bot.name] = polling
  local good, problem = polling:join()
  self.polling[bot.name], self.senders[bot.name] = nil, nil
  s:close()
  if not good and not self.stopped then error(problem, 0) end
end

---Starts the bots of the configuration.
function M:begin()
  self.cluster:on("outbox", function() look(self) end)
  if self.config.token then
    local bot = { name = "main", token = self.config.token }
    self.cluster:lead("telegram:" .. bot.name, function(lease) lead(self, bot, lease) end)
  end
end

---Takes no more updates; what was taken goes on.
function M:stop()
  self.stopped = true
  for _, t in pairs(self.polling) do t:cancel() end
end

---Sends nothing more. What is left is sent by whoever comes after.
function M:close()
  self:stop()
  for _, s in pairs(self.senders) do s:close() end
end

-- Messages that came another way were answered there.
local function is_ours(turn)
  return turn.job ~= nil or turn.continued ~= nil
    or (turn.source ~= nil and turn.source:find "^tg:" ~= nil)
end

---What a turn has to deliver, as part of its transaction.
---@param turn table with its actions
---@return table[]|nil statements
function M:deliver(turn)
  local place = is_ours(turn) and address.place(turn.dialog.id)
  if not place then return nil end
  local payload = turn.message and turn.message.payload
  local calls, kept = render.calls(turn.actions, {
    dialog_id = turn.dialog.id, place = place, key = self.key,
    query_id = payload and payload.callback_query_id or nil,
  })
  if #calls == 0 then return nil end
  local s = self.senders[place.bot]
  local deliveries = outbox.deliveries("tg:" .. place.bot, turn, calls)
  -- Begun by the transaction itself: one commit less before the person sees the answer.
  if s and s:is_idle(turn.dialog.id) then deliveries[1].begun, deliveries[1].attempts = true, 1 end
  local out = { outbox.insert(deliveries, turn.finished_at) }
  for _, k in ipairs(kept) do
    out[#out + 1] = {
      "INSERT INTO callbacks (id, dialog_id, plugin, data, created_at) VALUES ($1, $2, $3, $4, $5)",
      k.id, turn.dialog.id, k.plugin, json.encode(k.data), turn.finished_at,
    }
  end
  if not s then out[#out + 1] = cluster.bump "outbox" end
  turn.deliveries, turn.sender = deliveries, s
  return out
end

---The transaction of a turn is stored: its deliveries go out.
function M.stored(_, turn)
  if turn.sender then turn.sender:push(turn.deliveries) end
end

return M
