-- Rows of `tokens`.

local json = require "host.json"
local time = require "host.time"

local M = {}

local function decode(row)
  row.scopes = json.decode(row.scopes)
  return row
end

local function decode_all(rows, err)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do decode(row) end
  return rows
end

---@return table|nil row nil without an error when there is none
function M.get(db, id)
  local row, err = db:first("SELECT * FROM tokens WHERE id = $1", id)
  if not row then return nil, err end
  return decode(row)
end

---@return table[]|nil
function M.list(db)
  return decode_all(db:query "SELECT * FROM tokens ORDER BY created_at, id LIMIT 10000")
end

---In the order of their ids.
---@param after string the last id of the page before, "" for the first page
---@return table[]|nil
function M.page(db, after, limit)
  return decode_all(db:query("SELECT * FROM tokens WHERE id > $1 ORDER BY id LIMIT $2", after,
    limit))
end

---@return "active"|"expired"|"revoked"
function M.state(row)
  if row.revoked_at then return "revoked" end
  if row.expires_at and row.expires_at <= time.now_ms() then return "expired" end
  return "active"
end

local function text(ms) return ms and time.rfc3339(ms) end

---What may be shown of a token: everything but what is kept of its secret.
---@return table
function M.view(row)
  return {
    id = row.id, kind = row.kind, scopes = row.scopes, label = row.label, state = M.state(row),
    created_at = text(row.created_at), expires_at = text(row.expires_at),
    revoked_at = text(row.revoked_at), last_used_at = text(row.last_used_at),
    old_secret_until = text(row.old_until),
  }
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

---A statement: the token was seen.
function M.used(id)
  return { "UPDATE tokens SET last_used_at = $2 WHERE id = $1", id, time.now_ms() }
end

---A statement; changes one row when the token was there and valid.
function M.revoke(id)
  return {
    "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, time.now_ms(),
  }
end

---A statement that gives a token another secret: a conflict when somebody else was quicker.
---@param row table as it was read
---@param hash string of the new secret
---@param old_until integer milliseconds: until then the one before is good, too
function M.renew(row, hash, old_until)
  return {
    "UPDATE tokens SET old_hash = hash, hash = $3, old_until = $4 "
      .. "WHERE id = $1 AND hash = $2 AND revoked_at IS NULL", row.id, row.hash, hash, old_until,
    expect = 1,
  }
end

return M
