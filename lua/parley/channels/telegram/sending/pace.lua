-- How fast one bot may send: what Telegram says beforehand
-- (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this), and what it is
-- heard to say by 429.
--
-- In a chat about one message a second, with a short burst; in a group 20 a minute; broadcasts 30 a
-- second over all. A 429 makes its chat wait for that method, and slows the chat down for a while.
-- Telegram does not say whose limit was reached: when several chats are told to wait until the same
-- moment, it is the bot's, all of it waits, and its broadcasts are slower from then on.
--
-- Answers to presses are never slowed down. Nothing here waits.

local M = {}
M.__index = M

local GROUP_S = 60.5         -- a minute, and how late the first of it may have arrived
local SLOW_MAX, SLOW_S = 16, 60   -- a chat is slowed to 1/16 at most; half of it goes in a minute
local RATE_MIN, RECOVER_S = 1, 10 -- broadcasts a second; they are half as fast again so often
local WIDTH = 30                  -- calls at a time, as many as a bot may make in a second
local TOGETHER_S, TOGETHER = 1, 3 -- so many chats with the same end of their wait: it is the bot's

-- What Telegram counts as a message.
local function is_counted(method)
  return method ~= "sendChatAction" and (method:find "^send" or method:find "^edit"
    or method:find "^copy" or method:find "^forward") and true or false
end

local COUNTED = setmetatable({}, { __index = function(t, method)
  t[method] = is_counted(method)
  return t[method]
end })

---@class parley.telegram.Limits
---@field paced boolean false: only what 429 says counts
---@field chat_per_second number
---@field chat_burst number messages that may go at once to a chat which has been quiet
---@field group_per_minute integer
---@field bot_per_second number of broadcasts

---@param limits parley.telegram.Limits
function M.new(limits)
  return setmetatable({
    limits = limits, rate = limits.bot_per_second, tokens = limits.bot_per_second, at = 0,
    until_s = 0, slowed_at = 0, width = WIDTH, refusals = {},
  }, M)
end

local function cost_of(delivery)
  local media = delivery.method == "sendMediaGroup" and delivery.params.media
  return type(media) == "table" and math.max(1, #media) or 1
end

-- chats -------------------------------------------------------------------------------------------

local function slowness(chat, now)
  if not chat.slow then return 1 end
  while chat.slow and now - chat.slow_at >= SLOW_S do
    chat.slow, chat.slow_at = chat.slow / 2, chat.slow_at + SLOW_S
    if chat.slow <= 1 then chat.slow = nil end
  end
  return chat.slow or 1
end

-- The bucket of a chat as it is now: level, what it gains in a second, what it can hold.
local function bucket(self, chat, now)
  local slow = slowness(chat, now)
  local rate, burst = self.limits.chat_per_second / slow, self.limits.chat_burst / slow
  if burst < 1 then burst = 1 end
  local level = chat.level and math.min(burst, chat.level + (now - chat.at) * rate) or burst
  return level, rate, burst
end

-- When a group may have so many more: the times of its last messages go round in a ring.
local function group_at(self, chat, cost)
  local times, size = chat.times, self.limits.group_per_minute
  if not times then return 0 end
  local oldest = times[(times.next + math.min(cost, size) - 1) % size]
  return oldest and oldest + GROUP_S or 0
end

local function note_group(self, chat, cost, now)
  local size = self.limits.group_per_minute
  chat.times = chat.times or { next = 0 }
  for _ = 1, math.min(cost, size) do
    chat.times[chat.times.next] = now
    chat.times.next = (chat.times.next + 1) % size
  end
end

local function is_paced(self, chat, delivery)
  return self.limits.paced and chat.chat_id and COUNTED[delivery.method]
end

---How long a chat has to wait with this delivery.
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
---@param now number of time.mono
---@return number seconds 0: not at all
function M:chat_wait(chat, delivery, now)
  local at = chat.hold or 0
  local refused = chat.refused and chat.refused[delivery.method]
  if refused and refused > at then at = refused end
  if is_paced(self, chat, delivery) then
    local cost = cost_of(delivery)
    local level, rate, burst = bucket(self, chat, now)
    local need = math.min(cost, burst) - 1e-6
    if level < need then at = math.max(at, now + (need - level) / rate) end
    if chat.chat_id < 0 then at = math.max(at, group_at(self, chat, cost)) end
  end
  return math.max(0, at - now)
end

---Whether nothing of a chat needs to be remembered.
---@param chat parley.ChatQueue without anything that waits
---@param now number
---@return boolean
function M:is_rested(chat, now)
  if chat.hold and chat.hold > now then return false end
  for _, at in pairs(chat.refused or {}) do if at > now then return false end end
  if slowness(chat, now) > 1 then return false end
  if chat.level then
    local level, _, burst = bucket(self, chat, now)
    if level < burst then return false end
  end
  local times = chat.times
  local size = self.limits.group_per_minute
  local last = times and times[(times.next - 1) % size]
  return not last or last + GROUP_S <= now
end

-- the bot -----------------------------------------------------------------------------------------

local function refill(self, now)
  local limit = self.limits.bot_per_second
  if self.rate < limit and now - self.slowed_at >= RECOVER_S then
    self.rate, self.slowed_at = math.min(limit, self.rate * 1.5), now
  end
  if self.at > 0 then
    self.tokens = math.min(self.rate, self.tokens + (now - self.at) * self.rate)
  end
  self.at = now
end

---How long the bot has to wait with whatever is of this rank.
---@param rank integer 1: answers, which never wait; 5: broadcasts
---@param now number
---@return number seconds
function M:bot_wait(rank, now)
  if rank == 1 then return 0 end
  local wait = math.max(0, self.until_s - now)
  if rank == 5 and self.limits.paced then
    refill(self, now)
    if self.tokens < 1 - 1e-6 then wait = math.max(wait, (1 - self.tokens) / self.rate) end
  end
  return wait
end

---Counts a delivery that is begun. What does not wait for the bot's own limit uses it up all the
---same: broadcasts have what is left.
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
---@param now number
function M:take(chat, delivery, now)
  if not is_paced(self, chat, delivery) then return end
  local cost = cost_of(delivery)
  refill(self, now)
  self.tokens = math.max(-self.rate, self.tokens - cost)
  local level, _, burst = bucket(self, chat, now)
  chat.level, chat.at = level - math.min(cost, burst), now
  if chat.chat_id < 0 then note_group(self, chat, cost, now) end
end

---It went well: after the bot was slowed down, more go at a time again.
function M:succeeded()
  if self.width < WIDTH then self.width = self.width + 1 end
end

-- Whether other chats are told to wait until the same moment, too.
local function is_of_bot(self, chat, at, now)
  local others, kept = 1, {}
  for _, r in ipairs(self.refusals) do
    if now - r.now <= TOGETHER_S and r.key ~= chat.key then
      kept[#kept + 1] = r
      if math.abs(r.at - at) <= TOGETHER_S then others = others + 1 end
    end
  end
  kept[#kept + 1] = { key = chat.key, at = at, now = now }
  if #kept > TOGETHER then table.remove(kept, 1) end
  self.refusals = kept
  return others >= TOGETHER
end

---Telegram has refused a delivery by 429.
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
---@param wait number seconds, as it says: 1 to 86400
---@param now number
---@return boolean bot whether the whole bot waits
function M:refused(chat, delivery, wait, now)
  chat.refused = chat.refused or {}
  chat.refused[delivery.method] = now + wait
  chat.slow = math.min(SLOW_MAX, slowness(chat, now) * 2)
  chat.slow_at, chat.level, chat.at = now + wait, 0, now
  if not is_of_bot(self, chat, now + wait, now) then return false end
  if now >= self.until_s then
    self.rate, self.slowed_at = math.max(RATE_MIN, self.rate / 2), now + wait
  end
  self.until_s, self.width = math.max(self.until_s, now + wait), 1
  return true
end

return M
