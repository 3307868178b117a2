-- How often a bot may write (https://core.telegram.org/bots/faq#broadcasting-to-users): about one
-- message a second in a chat, with short bursts, twenty a minute in a group, thirty a second over
-- all.

local M = {}

M.DEFAULTS = {
  chat = { per_second = 1, burst = 5 },
  group = { per_second = 20 / 60, burst = 20 },
  bot = { per_second = 30, burst = 30 },
}

-- A bucket of tokens; whole seconds until there is one, 0: it was taken.
local function take(bucket, limit, now)
  if not bucket.at then bucket.level, bucket.at = limit.burst, now end
  bucket.level = math.min(limit.burst, bucket.level + (now - bucket.at) * limit.per_second)
  bucket.at = now
  if bucket.level < 1 then return math.ceil((1 - bucket.level) / limit.per_second) end
  bucket.level = bucket.level - 1
  return 0
end

---@param limits table|false of DEFAULTS' kind; false: none
---@param bot table
---@param entry table of the chat
---@param now number seconds
---@return integer wait seconds; 0: it may be sent
function M.take(limits, bot, entry, now)
  if not limits then return 0 end
  local of_chat = entry.paces[bot.user.id] or { until_ = 0 }
  entry.paces[bot.user.id] = of_chat
  if now < of_chat.until_ then return math.ceil(of_chat.until_ - now) end
  local wait = take(of_chat, entry.chat.id < 0 and limits.group or limits.chat, now)
  if wait > 0 then
    of_chat.until_ = now + wait -- until then every call is refused
    return wait
  end
  bot.pace = bot.pace or {}
  return take(bot.pace, limits.bot, now)
end

return M
