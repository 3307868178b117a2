-- Rows of audit_logs and plugin_events that belong to no turn.

local crypto = require "host.crypto"
local insert = require "parley.store.insert"
local json = require "host.json"
local meters = require "parley.ops.meters"
local signals = require "parley.triggers.signals"
local task = require "host.task"
local time = require "host.time"

local M = {}

local COLUMNS = 7 -- of a row of audit_logs, beside the mark for the triggers

local INTO = "INSERT INTO audit_logs (id, source, action, severity, trace_id, details, created_at, "
  .. "signal) VALUES "

---Rows of audit_logs, marked for the triggers that listen to them.
---@param rows any[][] id, source, action, severity, trace_id, details as JSON, created_at
---@return table statement for db:commit
function M.rows(rows)
  for _, row in ipairs(rows) do row[COLUMNS + 1] = signals.mark(row[3], row[4]) end
  return insert(INTO, COLUMNS + 1, rows)
end

---@param event {source: string, action: string, severity: string, details: table|nil,
--- trace_id: string|nil} trace_id: default that of the task
---@return table statement for db:commit
function M.insert(event)
  meters.audit_events:with(event.severity):inc()
  return M.rows { {
    crypto.uuid7(), event.source, event.action, event.severity,
    event.trace_id or task.trace() or crypto.trace_id(),
    event.details and json.encode(event.details) or json.null, time.now_ms(),
  } }
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
