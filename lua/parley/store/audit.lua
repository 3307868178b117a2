-- Rows of audit_logs that belong to no turn.

local crypto = require "host.crypto"
local insert = require "parley.store.insert"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}

-- For parley.store.insert: rows of id, source, action, severity, trace_id, details, created_at.
M.INTO = "INSERT INTO audit_logs (id, source, action, severity, trace_id, details, created_at) "
  .. "VALUES "
M.COLUMNS = 7

---@param event {source: string, action: string, severity: string, details: table|nil}
---@return table statement for db:commit
function M.insert(event)
  meters.audit_events:with(event.severity):inc()
  return insert(M.INTO, M.COLUMNS, { {
    crypto.uuid7(), event.source, event.action, event.severity, task.trace() or crypto.trace_id(),
    event.details and json.encode(event.details) or json.null, time.now_ms(),
  } })
end

return M
