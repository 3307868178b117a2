-- Takes out of dialogs what has had its time: sessions, conversations, menus that nobody has come
-- back to. A turn does it by itself for its dialog.

local json = require "host.json"
local session = require "parley.turn.session"
local time = require "host.time"

local M = {}

local BATCH = 200

local FIND = "SELECT id, version, state FROM dialogs WHERE expires_at < $1 AND id > $2 "
  .. "ORDER BY id LIMIT $3"

-- Only as it was read: a turn in between has done it, or is about to.
local UPDATE = "UPDATE dialogs SET state = $3, expires_at = $4, version = version + 1 "
  .. "WHERE id = $1 AND version = $2 AND lease_owner IS NULL"

local function cleaned(row)
  local state = row.state and json.decode(row.state) or {}
  session.expire(state)
  return {
    UPDATE, row.id, row.version, next(state) ~= nil and json.encode(state) or nil,
    session.expires_at(state), n = 4,
  }
end

---Sweeps once.
---@param db table
---@return integer|nil dialogs that have changed
---@return table|nil err
function M.sweep(db)
  local total, after, now = 0, "", time.now_ms()
  while true do
    local rows, err = db:query(FIND, now, after, BATCH)
    if not rows then return nil, err end
    local statements = {}
    for i, row in ipairs(rows) do statements[i] = cleaned(row) end
    local results
    if #rows > 0 then
      results, err = db:commit(statements)
      if not results then return nil, err end
      for _, result in ipairs(results) do total = total + result.changes end
    end
    if #rows < BATCH then return total end
    after = rows[#rows].id
  end
end

return M
