-- What the senders of a worker share: the calls that it makes at a time, in turn for each bot;
-- timers; notes; how much waits in memory; and the look for what is open in the database and known
-- to nobody.
--
-- Lanes go before bots: while one bot has a reply to send and another ten thousand broadcasts, the
-- reply is next. Within a lane the bots take turns, so that one with much waits for its own.

local chats = require "parley.channels.telegram.sending.chats"
local dialogs = require "parley.channels.telegram.sending.dialogs"
local feed = require "parley.store.feed"
local notes = require "parley.channels.telegram.sending.notes"
local outbox = require "parley.channels.outbox"
local queue = require "parley.channels.telegram.sending.queue"
local task = require "host.task"
local time = require "host.time"
local timers = require "parley.channels.telegram.sending.timers"

local M = {}
M.__index = M

local SLOTS = 200         -- calls at a time
local WAITING = 10000     -- deliveries in memory; beyond that each lane of a bot has SOME
local PATIENCE = 16       -- that go before the lowest lane which has something
local SWEEP_S = 5
local YOUNG_MS = 5000     -- what was decided since then is about to be pushed

M.SOME, M.MOST = 16, 500  -- deliveries of a bot in memory, in each lane

---@param deps {db: table, log: function, shared: boolean|nil} shared: there are other workers
function M.new(deps)
  return setmetatable({
    db = deps.db, log = deps.log, notes = notes.new(deps.db, deps.log),
    timers = timers.new(deps.log), dialogs = dialogs.new(deps.shared == true),
    senders = {}, at_work = 0, waiting = 0,
    rings = {}, passed = 0,
  }, M)
end

-- turns -------------------------------------------------------------------------------------------

---A sender has something of this rank that may go.
---@param sender table
---@param rank integer
function M:line_up(sender, rank)
  if sender.lined[rank] then return end
  sender.lined[rank] = true
  local ring = self.rings[rank]
  if not ring then
    ring = { first = 1, last = 0 }
    self.rings[rank] = ring
  end
  ring.last = ring.last + 1
  ring[ring.last] = sender
end

-- The lane that has its turn.
local function next_rank(self)
  local best, worst
  for rank = 1, #queue.LANES do
    if self.rings[rank] then best, worst = best or rank, rank end
  end
  if best == worst then
    self.passed = 0
    return best
  end
  self.passed = self.passed + 1
  if self.passed <= PATIENCE then return best end
  self.passed = 0
  return worst
end

---Begins what may be begun.
function M:serve()
  while self.at_work < SLOTS do
    local rank = next_rank(self)
    if not rank then return end
    local ring = self.rings[rank]
    local sender = ring[ring.first]
    ring[ring.first] = nil
    ring.first = ring.first + 1
    if ring.first > ring.last then self.rings[rank] = nil end
    sender.lined[rank] = nil
    if sender:start(rank) then self:line_up(sender, rank) end
  end
end

---@return boolean free whether another call may be made now
function M:has_slot() return self.at_work < SLOTS end

-- memory ------------------------------------------------------------------------------------------

---How many deliveries a lane of a bot may have in memory now.
---@return integer
function M:room() return self.waiting < WAITING and M.MOST or M.SOME end

-- what turns have stored ------------------------------------------------------------------------

-- What an earlier turn has to say is in the database, perhaps, and goes first: it is all read from
-- there.
local function catch_up(self, sender, dialog, version, deliveries)
  local lanes = {}
  for _, d in ipairs(deliveries) do lanes[d.lane] = true end
  for lane in pairs(lanes) do
    local ok, err = sender:look(lane, "~")
    if not ok then
      return self.log("error", "the outbox cannot be read", {
        sender = sender.sender, error = err.message,
      })
    end
  end
  self.dialogs:note { id = dialog.id, version = version }
end

---A turn has stored deliveries.
---@param dialog {id: string, version: integer} as it is stored
---@param deliveries parley.Delivery[]
---@param sender parley.telegram.Sender|nil that has expected them
function M:stored(dialog, deliveries, sender)
  if sender then
    self.dialogs:note(dialog)
    return sender:push(deliveries)
  end
  self.dialogs:miss(dialog)
  sender = self.senders[deliveries[1].sender]
  if sender then task.spawn(catch_up, self, sender, dialog, dialog.version, deliveries) end
end

-- what nobody knows -------------------------------------------------------------------------------

local function look(self, before)
  local found, err = outbox.senders(self.db, before)
  if not found then return nil, err end
  for _, row in ipairs(found) do
    local sender = self.senders[row.sender]
    if sender then
      local ok
      ok, err = sender:look(row.lane, before)
      if not ok then return nil, err end
    end
  end
  return true
end

---Looks for open rows that no sender of this worker knows: those that others have stored, and those
---of a commit whose outcome nobody has heard.
---@param before string|nil of ids: what is younger is left alone; default: nothing
---@return boolean|nil ok
---@return table|nil err
function M:look(before)
  if self.closed or next(self.senders) == nil then return true end
  -- One at a time; what comes meanwhile is looked for afterwards.
  if self.looking then
    self.again = true
    return true
  end
  self.looking = true
  local good, ok, err
  repeat
    self.again = false
    good, ok, err = pcall(look, self, before or "~")
    before = nil
  until not (good and ok and self.again)
  self.looking = false
  if not good then error(ok, 0) end
  return ok, err
end

local function sweep_once(self)
  local now = time.mono()
  for _, sender in pairs(self.senders) do sender:tidy(now) end
  local ok, err = self:look(feed.bound(time.now_ms() - YOUNG_MS))
  if not ok and not self.told and not self.closed then
    self.log("error", "the outbox cannot be looked through", { error = err.message })
  end
  self.told = not ok
end

local function sweep(self)
  while true do
    task.sleep(SWEEP_S * (0.8 + 0.4 * math.random()))
    if self.closed or next(self.senders) == nil then break end
    sweep_once(self)
  end
  self.sweeping = false
end

---Chats can be written to again.
---@param sender string
---@param chat_ids integer[]
---@return boolean|nil ok
---@return table|nil err of the database
function M:reopen(sender, chat_ids)
  if #chat_ids == 0 then return true end
  local statements, here = {}, self.senders[sender]
  for i, id in ipairs(chat_ids) do statements[i] = chats.clear(sender, id) end
  local ok, err = self.db:commit(statements)
  for _, id in ipairs(ok and here and chat_ids or {}) do
    local chat = here.chats[tostring(id)]
    if chat then chat.closed, chat.checked = nil, nil end
  end
  return ok, err
end

---A sender begins.
function M:open(sender)
  self.senders[sender.sender] = sender
  if not self.sweeping then
    self.sweeping = true
    task.spawn(sweep, self)
  end
end

---A sender has ended.
function M:leave(sender)
  if self.senders[sender.sender] == sender then self.senders[sender.sender] = nil end
end

---Nothing is begun any more.
function M:close()
  self.closed = true
  self.timers:close()
  self.notes:close()
end

return M
