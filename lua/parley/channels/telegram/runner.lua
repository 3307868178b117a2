-- One bot at work in the worker that holds its lease: it finds out who it is, sends, and polls.

local bots = require "parley.store.bots"
local explain = require "parley.channels.telegram.explain"
local outgoing = require "parley.channels.telegram.outgoing"
local poller = require "parley.channels.telegram.poller"
local sender = require "parley.channels.telegram.sender"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local RETRY_S, RETRY_MAX_S = 5, 300
local CALM_S = 60
local ORDER_S = 2 -- until an order has reached every worker, amply

---@class parley.BotRunner
---@field bot parley.Bot
---@field state "starting"|"polling"|"sending"|"failing"|"stopped" sending: its updates come
---  otherwise
---@field problem {code: string, message: string, since: integer}|nil

---@param deps {bot: parley.Bot, lease: parley.Lease, fleet: table, db: table, log: function,
---  senders: table, take: (fun(bot: parley.Bot, updates: table[]): integer|nil, table|nil),
---  blobs: table, queue: table, wanted: fun(): string[]} take: makes updates durable; queue: of
---  parley.turn, where their turns wait; wanted: the kinds of updates that the bot asks for
---@return parley.BotRunner
function M.new(deps)
  local self = setmetatable(deps, M)
  self.state = "starting"
  return self
end

---Whether it may go on: what the poller asks.
---@return boolean
function M:held() return not self.stopped and self.lease:held() end

---@param seconds number
function M:sleep(seconds)
  if self:held() then self.lease:sleep(seconds) end
end

-- What became of a call that says how the bot is. What is the bot's own is kept in its row, what is
-- the network's is not: it concerns all, and passes.
local function note(self, err)
  local before, now = self.problem, time.mono()
  if err then
    self.state, self.failed_at = "failing", now
    -- Of a conflict its words say with whom: another program, or a webhook.
    if before and before.code == err.code
      and (before.message == err.message or not explain[err.code]) then return end
    self.problem = { code = err.code, message = err.message, since = time.now_ms() }
  elseif before then
    -- Two pollers get 409 in turn: one poll that goes well says nothing.
    if before.code == "conflict" and now - self.failed_at < CALM_S then return end
    self.problem = nil
  else
    return
  end
  local bot = self.bot
  local is = self.problem and explain[self.problem.code] and self.problem or nil
  if not is and not bot.problem then return end
  bot.problem = is
  task.spawn(self.db.commit, self.db, { bots.note(bot, is) })
end

-- Who Telegram says the bot is.
local function introduce(self)
  local bot, pause, told = self.bot, RETRY_S, nil
  while self:held() and not bot.username do
    local me, err = self.api:call("getMe", {})
    note(self, err)
    if me then
      bot.username, bot.id = me.username, me.id
      self.db:commit(bots.named(bot.name, me.username))
    else
      if told ~= err.code then
        self.log("error", explain[err.code] or "Telegram cannot be asked who a bot is", {
          bot = bot.name, code = err.code, error = err.message,
        })
        told = err.code
      end
      self:sleep(math.max(pause, err.retry_after or 0))
      pause = math.min(pause * 2, RETRY_MAX_S)
    end
  end
  return bot.username ~= nil
end

-- A webhook is told to Telegram first, then to this host, whose poll is refused in between: only
-- when it is refused once more has somebody else set it.
local function ask(self, ...)
  local result, err = self.api:call(...)
  if err and err.code == "conflict" and err.message:find "[Ww]ebhook" and not self.problem then
    self:sleep(ORDER_S)
    if self:held() then return self.api:call(...) end
  end
  return result, err
end

-- The client as the poller has it: what it hears is noted, and a token that Telegram does not know
-- is not tried again and again.
local function watched(self)
  local pause = RETRY_S
  return {
    call = function(_, ...)
      local result, err = ask(self, ...)
      note(self, err)
      if not err then
        self.state, pause = "polling", RETRY_S
      elseif err.code == "unauthorized" then
        self:sleep(pause)
        pause = math.min(pause * 2, RETRY_MAX_S)
      end
      return result, err
    end,
  }
end

local function poll(self)
  poller.run {
    bot = self.bot, api = watched(self), lease = self, log = self.log, queue = self.queue,
    wanted = self.wanted,
    -- In a task of its own: what is stored has its turn, also when the polling ends meanwhile.
    take = function(...)
      local good, n, err = task.spawn(self.take, self.bot, ...):join()
      if not good then error(n, 0) end
      return n, err
    end,
  }
end

-- What was noted before this worker began may have passed: when it has not, it is soon known again.
local function forget_problem(self)
  if not self.bot.problem then return end
  self.bot.problem = nil
  self.db:commit { bots.note(self.bot, nil) }
end

local function run(self)
  forget_problem(self)
  if not introduce(self) then return end
  if self.bot.transport == "webhook" then
    self.state = "sending"
    return
  end
  self.state = "polling"
  self.log("info", "polling Telegram", { bot = self.bot.name, username = self.bot.username })
  while self:held() do
    local good, problem = pcall(poll, self)
    if not good and not self.stopped then
      self.log("error", "polling has failed in the host", {
        bot = self.bot.name, error = tostring(problem),
      })
      self:sleep(RETRY_S)
    end
  end
end

---Begins.
---@return boolean begun false: the token of the bot cannot be opened
function M:start()
  local bot = self.bot
  self.api = self.fleet:api(bot.name)
  if not self.api then
    self.state, self.problem = "failing", bot.problem
    self.log("error", explain[bot.problem.code], { bot = bot.name, code = bot.problem.code })
    return false
  end
  self.sender = sender.new {
    bot = bot.name, sender = "tg:" .. bot.name, db = self.db, log = self.log,
    api = outgoing.new { api = self.api, db = self.db, blobs = self.blobs, bot = bot.name },
    lease = self.lease, outlet = self.outlet, limits = self.limits,
  }
  self.task = task.spawn(run, self)
  return true
end

---Takes up what was left to be sent, by a crash or by the worker that was here before; from then on
---turns count on the sender.
---@param left boolean whether there is anything
function M:take_up(left)
  while left and self:held() do
    local n, err = self.sender:take_up()
    if n then break end
    self.log("error", "the outbox cannot be read", { error = err.message })
    self:sleep(RETRY_S)
  end
  if self:held() then self.senders[self.bot.name] = self.sender end
end

---Its updates come another way from here on. What it sends goes on undisturbed.
function M:turn()
  if not self.task or self.stopped then return end
  self.task:cancel()
  self.problem = nil
  self.task = task.spawn(run, self)
end

---Takes no more updates, at once; what is to be sent goes out.
function M:stop_polling()
  self.stopped = true
  if self.task then self.task:cancel() end
end

---Ends: nothing new is begun from here on.
function M:stop()
  self:stop_polling()
  if self.sender then
    self.sender:close()
    if self.senders[self.bot.name] == self.sender then self.senders[self.bot.name] = nil end
  end
  self.state = "stopped"
end

---Waits for what was begun before it was stopped: nobody else begins with it meanwhile.
---@param deadline number of time.mono()
function M:drain(deadline)
  if self.task then self.task:join(math.max(0, deadline - time.mono())) end
  while self.sender and self.sender:is_busy() and time.mono() < deadline do task.sleep(0.02) end
end

return M
