-- Rows of audit_logs and plugin_events that belong to no turn.

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

---@param event {source: string, action: string, severity: string, details: table|nil,
--- trace_id: string|nil} trace_id: default that of the task
---@return table statement for db:commit
function M.insert(event)
  meters.audit_events:with(event.severity):inc()
  return insert(M.INTO, M.COLUMNS, { {
    crypto.uuid7(), event.source, event.action, event.severity,
    event.trace_id or task.trace() or crypto.trace_id(),
    event.details and json.encode(event.details) or json.null, time.now_ms(),
  } })
end

---A row of plugin_events.
---@param event {plugin: string, type: string, severity: string, payload: table|nil,
--- occurred_at: integer, trace_id: string|nil, invocation_id: string|nil, id: string|nil}
---@return table statement for db:commit
function M.plugin_event(event)
  return {
    "INSERT INTO plugin_events (id, plugin_id, event_type, severity, payload, trace_id, "
      .. "occurred_at, invocation_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    event.id or crypto.uuid7(), event.plugin, event.type, event.severity,
    event.payload and json.encode(event.payload) or json.null,
    event.trace_id or task.trace() or crypto.trace_id(), event.occurred_at,
    event.invocation_id or json.null, n = 8,
  }
end

return M
