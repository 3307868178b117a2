-- Shared values in the database (table keys): the default, and what stands in while Redis is away.

local time = require "host.time"

local M = {}
M.__index = M

-- An empty text says that the key was deleted while Redis was away: it must go there, too.
local DELETED = ""
local DELETED_S = 600

---@param db table
function M.new(db) return setmetatable({ db = db }, M) end

---@return string|nil value
---@return table|nil err
function M:get(key)
  local row, err = self.db:first("SELECT value FROM keys WHERE key = $1 "
    .. "AND (expires_at IS NULL OR expires_at > $2)", key, time.now_ms())
  if not row then return nil, err end
  return row.value ~= DELETED and row.value or nil
end

local function put(self, key, value, ttl_s)
  local ok, err = self.db:commit { {
    "INSERT INTO keys (key, value, expires_at) VALUES ($1, $2, $3) ON CONFLICT (key) "
      .. "DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
    key, value, ttl_s and time.now_ms() + math.ceil(ttl_s * 1000), n = 3,
  } }
  if not ok then return nil, err end
  return true
end

---@param ttl_s number|nil seconds; nil: until it is deleted
---@return boolean|nil ok
---@return table|nil err
function M:set(key, value, ttl_s) return put(self, key, value, ttl_s) end

---@param remember boolean|nil leave a mark for whoever moves the keys to Redis
---@return boolean|nil ok
---@return table|nil err
function M:delete(key, remember)
  if remember then return put(self, key, DELETED, DELETED_S) end
  local ok, err = self.db:commit { { "DELETE FROM keys WHERE key = $1", key } }
  if not ok then return nil, err end
  return true
end

---Hands every key to `take`, in batches, and forgets what it has taken.
---@param take fun(rows: {key: string, value: string|nil, ttl_ms: integer|nil}[]): any, any value
---  nil: it was deleted; a false result ends it with the second one as the error
---@return boolean|nil ok
---@return table|nil err
function M:drain(take)
  local last = ""
  while true do
    local rows, err = self.db:query("SELECT key, value, expires_at FROM keys WHERE key > $1 "
      .. "ORDER BY key LIMIT 200", last)
    if not rows then return nil, err end
    if #rows == 0 then return true end
    last = rows[#rows].key
    local now, moved, forget = time.now_ms(), {}, {}
    for i, row in ipairs(rows) do
      -- What was written again meanwhile stays for the next time.
      forget[i] = { "DELETE FROM keys WHERE key = $1 AND value = $2", row.key, row.value }
      local ttl_ms = row.expires_at and row.expires_at - now
      if not ttl_ms or ttl_ms > 0 then
        moved[#moved + 1] = {
          key = row.key, value = row.value ~= DELETED and row.value or nil, ttl_ms = ttl_ms,
        }
      end
    end
    local ok
    ok, err = take(moved)
    if not ok then return nil, err end
    ok, err = self.db:commit(forget)
    if not ok then return nil, err end
  end
end

return M
