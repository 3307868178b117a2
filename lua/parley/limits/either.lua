-- Allowances in Redis where there is one that answers, in the database else. At a change of the two
-- every window begins anew: an allowance is counted once in each.

local meters = require "parley.ops.meters"
local redis = require "parley.limits.redis"
local sql = require "parley.limits.sql"

local M = {}
M.__index = M

---@param db table
---@param shared table of parley.shared
---@param now_ms fun(): integer the time of day
function M.new(db, shared, now_ms)
  return setmetatable({ shared = shared, sql = sql.new(db, now_ms) }, M)
end

local function in_redis(self, what, ...)
  local client = self.shared:redis_client()
  if not client then return nil end
  local driver = redis.new(client)
  local result, err = driver[what](driver, ...)
  if err then self.shared:failed(err) end
  return result, err
end

local function counted(name, block)
  local result = not block and "failed" or block.granted > 0 and "granted" or "refused"
  meters.rate_blocks:with(name, result):inc()
  if block then block.from = name end
  return block
end

---As reserve of parley.limits.sql. The block knows where it is `from`.
function M:reserve(...)
  local block, err = in_redis(self, "reserve", ...)
  if block or err then counted("redis", block) end
  if block then return block end
  block, err = self.sql:reserve(...)
  return counted("sql", block), err
end

---As give_back of parley.limits.sql. What cannot be given back is lost until its window ends.
---@param blocks {key: string, window: integer, n: integer, from: "redis"|"sql"}[]
function M:give_back(blocks)
  local of = { redis = {}, sql = {} }
  for _, b in ipairs(blocks) do table.insert(of[b.from], b) end
  if #of.redis > 0 then in_redis(self, "give_back", of.redis) end
  if #of.sql > 0 then return self.sql:give_back(of.sql) end
  return true
end

return M
