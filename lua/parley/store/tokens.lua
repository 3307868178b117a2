-- Rows of `tokens`.

local json = require "host.json"
local time = require "host.time"

local M = {}

local function decode(row)
  row.scopes = json.decode(row.scopes)
  return row
end

---@return table|nil row nil without an error when there is none
function M.get(db, id)
  local row, err = db:first("SELECT * FROM tokens WHERE id = $1", id)
  if not row then return nil, err end
  return decode(row)
end

---@return table[]|nil
function M.list(db)
  local rows, err = db:query "SELECT * FROM tokens ORDER BY created_at, id LIMIT 10000"
  if not rows then return nil, err end
  for _, row in ipairs(rows) do decode(row) end
  return rows
end

---A statement.
function M.insert(t)
  return {
    "INSERT INTO tokens (id, kind, scopes, hash, label, created_at, expires_at) "
      .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
    t.id, t.kind, json.encode(json.array(t.scopes)), t.hash, t.label, time.now_ms(), t.expires_at,
    n = 7,
  }
end

---A statement; changes one row when the token was there and valid.
function M.revoke(id)
  return {
    "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, time.now_ms(),
  }
end

return M
