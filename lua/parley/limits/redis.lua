-- Allowances in Redis: a hash for each key, one script for each block. The only clock is its own.

local M = {}
M.__index = M

-- KEYS: the key. ARGV: how many at most, the allowance, the length of a window in ms. A window that
-- begins in the future was begun before the server's clock was set back: it is over.
local RESERVE = [[
local n, limit, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = redis.call('HMGET', KEYS[1], 'since', 'used')
local since, used = tonumber(row[1] or nil), tonumber(row[2] or nil)
if not (since and used) or since > now or since + length <= now then since, used = now, 0 end
local left = since + length - now
n = math.max(0, math.min(n, limit - used))
if n > 0 then
  redis.call('HSET', KEYS[1], 'since', string.format('%.0f', since), 'used', used + n)
  redis.call('PEXPIRE', KEYS[1], left)
end
return {n, used + n, since, left}
]]

-- KEYS: of the blocks. ARGV: of each block its window, and how many of it were not used.
local GIVE_BACK = [[
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('HGET', key, 'since') or nil) == tonumber(ARGV[2 * i - 1]) then
    redis.call('HINCRBY', key, 'used', -ARGV[2 * i])
  end
end
return #KEYS
]]

---@param client table of host.redis
function M.new(client) return setmetatable({ client = client }, M) end

---As reserve of parley.limits.sql.
function M:reserve(key, n, limit, seconds)
  local reply, err = self.client:script(RESERVE, 1, key, n, limit, seconds * 1000)
  if not reply then return nil, err end
  return { granted = reply[1], used = reply[2], window = reply[3], left_s = reply[4] / 1000 }
end

---As give_back of parley.limits.sql.
function M:give_back(blocks)
  local arguments = {}
  for i, b in ipairs(blocks) do arguments[i] = b.key end
  for _, b in ipairs(blocks) do
    arguments[#arguments + 1] = b.window
    arguments[#arguments + 1] = b.n
  end
  return self.client:script(GIVE_BACK, #blocks, unpack(arguments))
end

return M
