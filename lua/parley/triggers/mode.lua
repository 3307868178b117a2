-- The mode that a trigger has switched to: "degraded" takes Redis out of use in every worker, the
-- database stands in; "normal" leaves it to Redis itself. It stays over restarts, until a trigger
-- switches back or an operator reloads.

local cluster = require "parley.cluster"
local json = require "host.json"
local time = require "host.time"

local M = {}

M.MODES = { normal = true, degraded = true }

local SET = "INSERT INTO settings (name, value, updated_at) VALUES ('mode', $1, $2) "
  .. "ON CONFLICT (name) DO UPDATE SET value = $1, updated_at = $2"

---@param mode "normal"|"degraded"
---@param reason string
---@return table[] statements
function M.switch(mode, reason)
  return {
    { SET, json.encode { mode = mode, reason = reason }, time.now_ms() }, cluster.bump "mode",
  }
end

---What leaves the mode to Redis again.
---@return table[] statements
function M.forget()
  return { { "DELETE FROM settings WHERE name = 'mode'" }, cluster.bump "mode" }
end

---Takes the mode up in this worker.
---@param core {db: table, shared: table}
---@return boolean|nil ok
---@return table|nil err
function M.sync(core)
  local row, err = core.db:first "SELECT value FROM settings WHERE name = 'mode'"
  if err then return nil, err end
  local value = row and json.decode(row.value)
  core.shared:hold(value and value.mode == "degraded" and value.reason or nil)
  return true
end

return M
