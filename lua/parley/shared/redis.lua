-- Shared values and streams in Redis.

local json = require "host.json"

local M = {}
M.__index = M

M.STREAM_MAX = 10000 -- events that a stream keeps, about

---@param client table of host.redis
function M.new(client) return setmetatable({ client = client }, M) end

---@return string|nil value
---@return table|nil err
function M:get(key)
  local value, err = self.client:call("GET", key)
  if value == json.null then return nil end
  return value, err
end

---@param ttl_s number|nil seconds; nil: until it is deleted
---@return boolean|nil ok
---@return table|nil err
function M:set(key, value, ttl_s)
  local ok, err
  if ttl_s then
    ok, err = self.client:call("SET", key, value, "PX", math.ceil(ttl_s * 1000))
  else
    ok, err = self.client:call("SET", key, value)
  end
  return ok and true, err
end

---@return boolean|nil ok
---@return table|nil err
function M:delete(key)
  local n, err = self.client:call("DEL", key)
  return n and true, err
end

local TAKE = [[
for i, key in ipairs(KEYS) do
  local value, ttl = ARGV[2 * i - 1], ARGV[2 * i]
  if value == '' then redis.call('DEL', key)
  elseif ttl == '' then redis.call('SET', key, value)
  else redis.call('SET', key, value, 'PX', ttl) end
end
return #KEYS
]]

---Takes over what was kept elsewhere: sql.lua, drain.
---@param rows {key: string, value: string|nil, ttl_ms: integer|nil}[]
---@return any ok
---@return table|nil err
function M:take(rows)
  if #rows == 0 then return true end
  local keys, values = {}, {}
  for i, row in ipairs(rows) do
    keys[i] = row.key
    values[2 * i - 1], values[2 * i] = row.value or "", row.ttl_ms or ""
  end
  for _, v in ipairs(values) do keys[#keys + 1] = v end
  return self.client:script(TAKE, #rows, unpack(keys))
end

-- Only on what is older: instances do not write in the order in which they have committed.
local STATES = [[
for i, key in ipairs(KEYS) do
  local value, version = ARGV[2 * i], tonumber(ARGV[2 * i + 1])
  local known = redis.call('GET', key)
  known = known and tonumber(string.match(known, '"version":(%d+)}$'))
  if not known or known < version then
    if value == '' then redis.call('DEL', key)
    else redis.call('SET', key, value, 'EX', ARGV[1]) end
  end
end
return #KEYS
]]

---Writes the states of dialogs.
---@param states {key: string, value: string, version: integer}[] value "": it has none; else an
---  object whose last member is "version"
---@param ttl_s integer
---@return any ok
---@return table|nil err
function M:states(states, ttl_s)
  local args = {}
  for i, s in ipairs(states) do args[i] = s.key end
  args[#args + 1] = ttl_s
  for _, s in ipairs(states) do
    args[#args + 1] = s.value
    args[#args + 1] = s.version
  end
  return self.client:script(STATES, #states, unpack(args))
end

-- ARGV: the fence of the publisher, the cap, then an event for each key but the first. A publisher
-- that was thought dead and has been replaced is refused; its fence is forgotten after a minute, so
-- that a database that begins anew is not kept out. Stops at the first event that fails.
local PUBLISH = [[
local fence, known = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0')
if fence < known then return {0, 'FENCED'} end
redis.call('SET', KEYS[1], fence, 'EX', 60)
for i = 2, #KEYS do
  local r = redis.pcall('XADD', KEYS[i], 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[i + 1])
  if type(r) == 'table' and r.err then return {i - 2, r.err} end
end
return {#KEYS - 1}
]]

---Puts events into their streams, in order.
---@param rows {stream: string, payload: string}[]
---@param fence integer
---@return integer|nil done how many of them are in their streams
---@return table|string|nil err a text: what Redis says of the next one; "FENCED": somebody else
---  publishes now
function M:publish(rows, fence)
  local args = { "parley:publisher" }
  for _, row in ipairs(rows) do args[#args + 1] = row.stream end
  args[#args + 1] = fence
  args[#args + 1] = M.STREAM_MAX
  for _, row in ipairs(rows) do args[#args + 1] = row.payload end
  local reply, err = self.client:script(PUBLISH, #rows + 1, unpack(args))
  if not reply then return nil, err end
  return reply[1], reply[2]
end

return M
