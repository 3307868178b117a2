-- What waits for one chat: lane by lane, each in the order in which it was decided.
--
-- The first lane that has something goes first. One that was passed over often has its turn, so
-- that a busy conversation does not keep for ever from its person what others want to say.

local address = require "parley.channels.telegram.address"
local outbox = require "parley.channels.outbox"

local M = {}

---@type string[] lanes by rank
M.LANES = outbox.LANES

---@type table<string, integer> ranks by lane
M.RANKS = {}
for rank, lane in ipairs(M.LANES) do M.RANKS[lane] = rank end

M.REPLY = M.RANKS.reply

local PATIENCE = 8 -- others that go before the lowest lane

---@class parley.ChatQueue what pace.lua and attempt.lua add is about the chat, not about the queue
---@field key string
---@field chat_id integer|nil nil: an answer, which is in no order with anything
---@field business boolean|nil it is the chat of a business, of which table `chats` knows nothing
---@field n integer how many wait
---@field state "idle"|"waiting"|"ready"|"busy"

---@param delivery parley.Delivery
---@return integer rank
function M.rank(delivery) return M.RANKS[delivery.lane] or M.REPLY end

---The queue that a delivery belongs to.
---@param delivery parley.Delivery
---@return string key
---@return integer|nil chat_id
---@return boolean|nil business
function M.key(delivery)
  if delivery.lane == "answer" then return delivery.id end
  local place = address.place(delivery.dialog_id)
  if not place then return delivery.dialog_id end
  if place.business then return delivery.dialog_id, place.chat_id, true end
  return tostring(place.chat_id), place.chat_id
end

---@param key string
---@param chat_id integer|nil
---@param business boolean|nil
---@return parley.ChatQueue
function M.new(key, chat_id, business)
  return {
    key = key, chat_id = chat_id, business = business, n = 0, passed = 0, state = "idle",
  }
end

---Puts a delivery in its place: also one that was begun before those that wait.
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
function M.insert(chat, delivery)
  local rank = M.rank(delivery)
  local lane = chat[rank]
  if not lane then
    lane = { first = 1, last = 0 }
    chat[rank] = lane
  end
  chat.n = chat.n + 1
  if lane.last >= lane.first and delivery.id < lane[lane.first].id then
    lane.first = lane.first - 1
    lane[lane.first] = delivery
    return
  end
  local at = lane.last + 1
  while at > lane.first and lane[at - 1].id > delivery.id do
    lane[at], at = lane[at - 1], at - 1
  end
  lane[at], lane.last = delivery, lane.last + 1
end

local function ends(chat)
  local best, worst
  for rank = 1, #M.LANES do
    if chat[rank] then
      best, worst = best or rank, rank
    end
  end
  return best, worst
end

---What is next.
---@param chat parley.ChatQueue
---@return parley.Delivery|nil delivery nil: nothing waits
---@return integer|nil rank
---@return boolean|nil late it was passed over often
function M.head(chat)
  local best, worst = ends(chat)
  if not best then return nil end
  local late = best ~= worst and chat.passed >= PATIENCE
  local rank = late and worst or best
  local lane = chat[rank]
  return lane[lane.first], rank, late
end

---All that waits, lane by lane.
---@param chat parley.ChatQueue
---@return parley.Delivery[]
function M.all(chat)
  local out = {}
  for rank = 1, #M.LANES do
    local lane = chat[rank]
    for i = lane and lane.first or 1, lane and lane.last or 0 do out[#out + 1] = lane[i] end
  end
  return out
end

---Takes what is next.
---@param chat parley.ChatQueue with something that waits
---@return parley.Delivery
function M.take(chat)
  local delivery, rank = M.head(chat)
  local _, worst = ends(chat)
  chat.passed = rank < worst and chat.passed + 1 or 0
  local lane = chat[rank]
  lane[lane.first] = nil
  lane.first, chat.n = lane.first + 1, chat.n - 1
  if lane.first > lane.last then chat[rank] = nil end
  return delivery
end

return M
