-- Sends what a bot has to say: in order within a chat, chats side by side, each as fast as Telegram
-- lets it (sending/pace.lua), in turn with the other bots of the worker (sending/outlet.lua).
--
-- A delivery is known here from when it is to be stored until what became of it is durable, so
-- that whoever looks through the outbox does not begin it a second time (sending/stock.lua).

local api_of = require "parley.channels.telegram.api"
local attempt = require "parley.channels.telegram.sending.attempt"
local away = require "parley.channels.telegram.sending.away"
local line = require "parley.channels.telegram.sending.line"
local outbox = require "parley.channels.outbox"
local pace = require "parley.channels.telegram.sending.pace"
local queue = require "parley.channels.telegram.sending.queue"
local stock = require "parley.channels.telegram.sending.stock"
local task = require "host.task"
local time = require "host.time"

---@class parley.telegram.Sender
local M = {}
M.__index = M

local EXPECTED_S = 60 -- a turn that has not said by then what became of it never will
local FAILED_S = 10   -- after a mistake of the host itself

local LIMITS = {
  paced = true, chat_per_second = 1, chat_burst = 3, group_per_minute = 20, bot_per_second = 30,
}

---@param deps {bot: string, sender: string, api: table, db: table, log: function,
---  lease: {held: fun(self): boolean, guard: fun(self): table}, outlet: table,
---  limits: parley.telegram.Limits|nil} lease: the right to send for the bot; outlet: what the
---  senders of a worker share
---@return parley.telegram.Sender
function M.new(deps)
  local self = setmetatable({
    bot = deps.bot, sender = deps.sender, api = deps.api, db = deps.db, log = deps.log,
    lease = deps.lease, outlet = deps.outlet, pace = pace.new(deps.limits or LIMITS),
    chats = {}, known = {}, expected = {}, ready = {}, lined = {}, lanes = {}, waiting = 0,
    at_work = 0, under_way = 0, ahead = 0, failures = 0, resting = 0, -- resting: chats that wait
  }, M)
  self.outlet:open(self)
  return self
end

local function on_gate(self)
  self.gate = nil
  if not self.closed then self:go_on() end
end

-- Whether the bot may begin something of this rank; when not, it is told when it may.
local function may_start(self, rank)
  if self.closed or self.away or self.at_work >= self.pace.width then return false end
  local now = time.mono()
  local seconds = self.pace:bot_wait(rank, now)
  if seconds == 0 then return true end
  if not self.gate or self.gate > now + seconds then
    self.gate = now + seconds
    self.outlet.timers:at(self.gate, on_gate, self)
  end
  return false
end

---Everything that is ready lines up again: something has ended that kept it.
function M:go_on()
  for rank in pairs(self.ready) do self.outlet:line_up(self, rank) end
  self.outlet:serve()
end

-- work --------------------------------------------------------------------------------------------

local function work(self, chat, delivery)
  local has_slot = true
  local function free()
    if not has_slot then return end
    has_slot = false
    self.at_work, self.outlet.at_work = self.at_work - 1, self.outlet.at_work - 1
    if not self.closed then self:go_on() else self.outlet:serve() end
  end
  local good, seconds = pcall(attempt.run, self, chat, delivery, free)
  if not good then
    self.log("error", "a delivery has failed in the host", { error = tostring(seconds) })
    seconds = FAILED_S
  end
  self.under_way = self.under_way - 1
  if self.closed then return free() end
  if seconds then
    chat.hold = time.mono() + seconds
    stock.put(self, chat, delivery)
  else
    stock.done(self, delivery)
  end
  line.turn_to(self, chat, "idle")
  line.place(self, chat)
  free()
  self.outlet:serve()
end

---Begins something of this rank, when there is something that may be begun.
---@param rank integer
---@return boolean more whether there may be more of this rank
function M:start(rank)
  if not may_start(self, rank) then return false end
  local chat = line.next(self, rank)
  if not chat then return false end
  local delivery, of, late = queue.head(chat)
  local now = time.mono()
  local seconds = self.pace:chat_wait(chat, delivery, now)
  if seconds > 0 then
    line.wait(self, chat, now + seconds)
  elseif of ~= rank then
    line.get_ready(self, chat, of, late)
  else
    stock.take(self, chat, rank)
    line.turn_to(self, chat, "busy")
    self.pace:take(chat, delivery, now)
    self.at_work, self.outlet.at_work = self.at_work + 1, self.outlet.at_work + 1
    self.under_way = self.under_way + 1
    task.start(work, self, chat, delivery)
  end
  return self.ready[rank] ~= nil
end

---Whether something was begun of which it is not noted yet what became of it.
---@return boolean
function M:is_busy() return self.under_way > 0 end

function M:succeeded()
  self.failures = 0
  self.pace:succeeded()
end

function M:failed(err) away.failed(self, err, attempt.AWAY) end
function M:go_away(err) away.begin(self, err, attempt.AWAY) end

-- in ----------------------------------------------------------------------------------------------

-- Whether there is a slot for one more, or will be when those that are under way have ended. What
-- must not happen twice is not begun before there is one: were the host killed meanwhile, nobody
-- would know that it was not tried.
local function has_slot(self, delivery)
  local used = self.ahead
  if api_of.policy(delivery.method) == "once" then used = used + self.at_work end
  return used < self.pace.width and self.outlet:has_slot()
end

-- Whether nothing in its chat is before a delivery for long: one that was made is only being noted,
-- or is being made. In the latter case a crash would leave doubts about what was not begun, so that
-- it is no place for what must not be done twice.
local function is_next(chat, delivery)
  if chat.n > 0 then return false end
  return chat.state == "idle" or chat.is_noting
    or chat.state == "busy" and api_of.policy(delivery.method) ~= "once"
end

-- Whether what is pushed for this chat now is begun at once, or nearly.
local function is_free(self, delivery, now)
  local rank = queue.rank(delivery)
  if self.closed or self.away or stock.lane(self, rank).more or not self.lease:held()
    or not has_slot(self, delivery) or self.pace:bot_wait(rank, now) > 0 then
    return false
  end
  local chat = self.chats[queue.key(delivery)]
  return not chat or is_next(chat, delivery) and self.pace:chat_wait(chat, delivery, now) == 0
end

---Deliveries are about to be stored. What will be sent at once is begun by the same transaction:
---one commit less before the person sees it. Afterwards push() or forget() is called.
---@param deliveries parley.Delivery[] `begun` and `attempts` of some are set
function M:expect(deliveries)
  local now, seen = time.mono(), {}
  for _, d in ipairs(deliveries) do
    local key = queue.key(d)
    if not seen[key] and is_free(self, d, now) then
      d.begun, d.attempts, self.ahead = true, 1, self.ahead + 1
    end
    seen[key], self.expected[d.id], d.expected_at = true, d, now
  end
end

local function forget(self, delivery)
  if not self.expected[delivery.id] then return end
  self.expected[delivery.id] = nil
  if delivery.begun then self.ahead = self.ahead - 1 end
end

---The deliveries were not stored, or nobody knows whether they were: in that case they are found.
---@param deliveries parley.Delivery[]
function M:forget(deliveries)
  for _, d in ipairs(deliveries) do forget(self, d) end
end

-- What the transaction of its turn has begun, and is not begun after all: whoever comes next has no
-- reason to doubt.
local function give_back(self, deliveries)
  local statements = {}
  for _, d in ipairs(deliveries) do
    if d.begun then statements[#statements + 1] = outbox.take_back(d) end
  end
  if #statements > 0 then task.spawn(self.outlet.notes.write, self.outlet.notes, statements) end
end

---Takes deliveries that are stored, in their order.
---@param deliveries parley.Delivery[]
function M:push(deliveries)
  self:forget(deliveries)
  if self.closed then give_back(self, deliveries) else stock.add(self, deliveries) end
end

---Looks for open rows of a lane that nobody here knows.
---@param lane string
---@param before string of ids
---@return integer|nil deliveries that were taken up
---@return table|nil err
function M:look(lane, before) return stock.look(self, lane, before) end

---Takes up what was left: by a crash, or by the worker that has sent for this bot before.
---@return integer|nil deliveries
---@return table|nil err
function M:take_up()
  local lanes, err = outbox.open_lanes(self.db, self.sender)
  local n = 0
  for _, row in ipairs(lanes or {}) do
    local added
    added, err = self:look(row.lane, "~")
    n = n + (added or 0)
    if err then break end
  end
  if err then return nil, err end
  return n
end

---Forgets the chats that are quiet, and what was expected and never came.
---@param now number of time.mono
function M:tidy(now)
  for key, chat in pairs(self.chats) do
    if chat.state == "idle" and self.pace:is_rested(chat, now) then self.chats[key] = nil end
  end
  for _, d in pairs(self.expected) do
    if now - d.expected_at > EXPECTED_S then forget(self, d) end
  end
end

---Nothing new is begun.
function M:close()
  if self.closed then return end
  self.closed = true
  self.outlet:leave(self)
  for _, chat in pairs(self.chats) do give_back(self, queue.all(chat)) end
  self.outlet.waiting = self.outlet.waiting - self.waiting
  self.waiting = 0
end

return M
