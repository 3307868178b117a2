-- What of a bot's deliveries is in memory: a bounded number of each lane, the oldest. The rest
-- stays in the database, and is read in order when there is room. Whatever is here, or about to be,
-- is known by its id, so that nobody takes it up a second time.

local line = require "parley.channels.telegram.sending.line"
local outbox = require "parley.channels.outbox"
local outlet = require "parley.channels.telegram.sending.outlet"
local queue = require "parley.channels.telegram.sending.queue"
local task = require "host.task"

local M = {}

-- How much of a lane waits here; `more`: there is more in the database; `missed`: something was
-- left there since it was read.
---@param self parley.telegram.Sender
---@param rank integer
---@return {n: integer, more: boolean, missed: boolean, reading: boolean|nil}
function M.lane(self, rank)
  local lane = self.lanes[rank]
  if not lane then
    lane = { n = 0, more = false, missed = false }
    self.lanes[rank] = lane
  end
  return lane
end

local is_short, refill

---What became of a delivery is durable.
---@param self parley.telegram.Sender
---@param delivery parley.Delivery
function M.done(self, delivery)
  self.known[delivery.id] = nil
  local rank = queue.rank(delivery)
  local lane = M.lane(self, rank)
  if is_short(self, lane) and not lane.reading then
    lane.reading = true
    task.spawn(refill, self, rank)
  end
end

---It waits in its chat.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
function M.put(self, chat, delivery)
  local lane = M.lane(self, queue.rank(delivery))
  queue.insert(chat, delivery)
  lane.n, self.waiting, self.outlet.waiting = lane.n + 1, self.waiting + 1, self.outlet.waiting + 1
end

---Takes what is next in a chat.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param rank integer of it
---@return parley.Delivery
function M.take(self, chat, rank)
  local lane = M.lane(self, rank)
  lane.n, self.waiting, self.outlet.waiting = lane.n - 1, self.waiting - 1, self.outlet.waiting - 1
  return queue.take(chat)
end

local function chat_of(self, delivery)
  local key, chat_id, business = queue.key(delivery)
  local chat = self.chats[key]
  if not chat then
    chat = queue.new(key, chat_id, business)
    self.chats[key] = chat
  end
  return chat
end

-- What waits in the database must not be overtaken by what has just come.
local function has_room(self, delivery, is_read)
  if delivery.begun then return true end
  local lane = M.lane(self, queue.rank(delivery))
  if lane.n >= self.outlet:room() or (lane.more and not is_read) then
    lane.more, lane.missed = true, true
    return false
  end
  return true
end

---Takes deliveries over; those for which there is no room stay in the database.
---@param self parley.telegram.Sender
---@param deliveries parley.Delivery[] in their order
---@param is_read boolean|nil they were read from there
---@return integer taken
function M.add(self, deliveries, is_read)
  local n = 0
  for _, d in ipairs(deliveries) do
    if not self.known[d.id] and has_room(self, d, is_read) then
      self.known[d.id], n = true, n + 1
      local chat = chat_of(self, d)
      M.put(self, chat, d)
      if chat.state ~= "busy" then line.place(self, chat) end
    end
  end
  self.outlet:serve()
  return n
end

-- Rows that nobody here knows.
local function unknown(self, rows)
  local out = {}
  for _, d in ipairs(rows) do
    if not self.known[d.id] and not self.expected[d.id] then out[#out + 1] = d end
  end
  return out
end

-- Whether there is more in the database, and room for it.
function is_short(self, lane) return lane.more and lane.n <= self.outlet:room() / 4 end

-- Reads what is open; again when something was left there meanwhile.
local function read(self, rank, before)
  local lane, added = M.lane(self, rank), 0
  local good, rows, err, n
  lane.reading = true
  repeat
    lane.missed = false
    good, rows, err = pcall(outbox.open, self.db, self.sender, queue.LANES[rank], before,
      outlet.MOST)
    if not good then
      lane.reading = false
      error(rows, 0)
    end
    if not rows or self.closed then break end
    n = M.add(self, unknown(self, rows), true)
    added, before, lane.more = added + n, "~", lane.missed or #rows == outlet.MOST
  until not is_short(self, lane) or (n == 0 and not lane.missed)
  lane.reading = false
  if not rows then return nil, err end
  return added
end

function refill(self, rank)
  local n, err = read(self, rank, "~")
  if n then return end
  self.log("error", "the outbox cannot be read", { sender = self.sender, error = err.message })
end

---Looks for open rows of a lane that nobody here knows.
---@param self parley.telegram.Sender
---@param lane string
---@param before string of ids
---@return integer|nil deliveries that were taken up
---@return table|nil err
function M.look(self, lane, before)
  local rank = queue.RANKS[lane]
  local state = M.lane(self, rank)
  if state.reading then
    -- Perhaps it has looked before what this is about was there.
    state.more, state.missed = true, true
    return 0
  end
  -- What is left in the database is read when there is room.
  if self.closed or (state.more and not is_short(self, state)) then return 0 end
  return read(self, rank, before)
end

return M
