-- "typing ..." in the chat while a turn is under way, from its second second on until it ends.
--
-- Telegram shows it for five seconds, or until a message of the bot comes. A call that is on its
-- way when the turn ends is cut off, so that none comes after the answer.

local address = require "parley.channels.telegram.address"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local AGAIN_S = 4.5
local TIMEOUT_S = 5
local PARALLEL = 20 -- in one worker; the others wait for the next tick
local NEVER = math.huge

---@param deps {after: number, api: fun(bot: string): table|nil} after: seconds of a turn without a
---  sign; api: the client of a bot
function M.new(deps)
  return setmetatable({ after = deps.after, api = deps.api, turns = {}, calls = 0 }, M)
end

-- The next time after a call: a chat that refuses it is left alone.
local function next_time(err, now)
  if not err then return now + AGAIN_S end
  return err.retryable and now + math.max(AGAIN_S, err.retry_after or 0) or NEVER
end

local function send(self, turn)
  local place = address.place(turn.dialog_id)
  local api = place and self.api(place.bot)
  if not api then return NEVER end
  local _, err = api:call("sendChatAction", {
    chat_id = place.chat_id, message_thread_id = place.thread_id, action = "typing",
    business_connection_id = turn.connection,
  }, TIMEOUT_S)
  return next_time(err, time.mono())
end

local function begin(self, turn)
  self.calls = self.calls + 1
  turn.call = task.spawn(function()
    local good, at = pcall(send, self, turn)
    turn.next, turn.call = good and at or NEVER, nil
    self.calls = self.calls - 1
  end)
end

---A turn is under way.
---@param key table that stands for it
---@param dialog_id string
---@param connection string|nil of the business that it is of
function M:enter(key, dialog_id, connection)
  self.turns[key] = {
    dialog_id = dialog_id, connection = connection, next = time.mono() + self.after,
  }
end

---A plugin says that it will take a while: the sign goes out now.
---@param key table of M:enter
---@return boolean known whether there is such a turn
function M:now(key)
  local turn = self.turns[key]
  if not turn then return false end
  -- Once: from then on it is repeated.
  if not turn.asked and not turn.call and turn.next ~= NEVER then begin(self, turn) end
  turn.asked = true
  return true
end

---The turn ends: its answer comes after this.
---@param key table
function M:leave(key)
  local turn = self.turns[key]
  self.turns[key] = nil
  if turn and turn.call then
    turn.call:cancel()
    self.calls = self.calls - 1
  end
end

---@param now number
---@return boolean again
function M:tick(now)
  for _, turn in pairs(self.turns) do
    if self.calls >= PARALLEL then break end
    if now >= turn.next and not turn.call then begin(self, turn) end
  end
  return next(self.turns) ~= nil
end

return M
