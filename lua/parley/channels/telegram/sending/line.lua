-- The chats of a bot that have something to send: each waits for its time, or stands in the line of
-- the lane that is next in it, or has a call under way.

local queue = require "parley.channels.telegram.sending.queue"
local time = require "host.time"

local M = {}

---Notes how a chat is.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param state "idle"|"waiting"|"ready"|"busy"
function M.turn_to(self, chat, state)
  if chat.state == "waiting" then self.resting = self.resting - 1 end
  if state == "waiting" then self.resting = self.resting + 1 end
  chat.state = state
end

local function on_timer(self, chat)
  chat.timer = nil
  if self.closed or chat.state ~= "waiting" then return end
  M.place(self, chat)
  self.outlet:serve()
end

---It waits until then.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param at number of time.mono
function M.wait(self, chat, at)
  M.turn_to(self, chat, "waiting")
  if chat.timer and chat.timer <= at then return end
  chat.timer = at
  self.outlet.timers:at(at, on_timer, self, chat)
end

---It stands in line.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param rank integer of what is next
---@param late boolean it was passed over often: it is first in line
function M.get_ready(self, chat, rank, late)
  if chat.state == "ready" and chat.rank == rank then return end
  M.turn_to(self, chat, "ready")
  chat.rank = rank
  local line = self.ready[rank]
  if not line then
    line = { first = 1, last = 0 }
    self.ready[rank] = line
  end
  if late then
    line.first = line.first - 1
    line[line.first] = chat
  else
    line.last = line.last + 1
    line[line.last] = chat
  end
  self.outlet:line_up(self, rank)
end

---Puts a chat that has no call under way where it belongs.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
function M.place(self, chat)
  local delivery, rank, late = queue.head(chat)
  if not delivery then
    M.turn_to(self, chat, "idle")
    if not chat.chat_id then self.chats[chat.key] = nil end
    return
  end
  local now = time.mono()
  local seconds = self.pace:chat_wait(chat, delivery, now)
  if seconds > 0 then return M.wait(self, chat, now + seconds) end
  M.get_ready(self, chat, rank, late)
end

---Takes the chat that is first in line. One that was moved to another line stands in its old one,
---too.
---@param self parley.telegram.Sender
---@param rank integer
---@return parley.ChatQueue|nil
function M.next(self, rank)
  local line = self.ready[rank]
  while line do
    local chat = line[line.first]
    line[line.first] = nil
    line.first = line.first + 1
    if line.first > line.last then
      self.ready[rank], line = nil, nil
    end
    if chat.state == "ready" and chat.rank == rank then return chat end
  end
end

return M
