-- Which events go to which stream of Redis, and how they look there.

local crypto = require "host.crypto"
local insert = require "parley.store.insert"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}

-- Event: its stream. {} stands for the plugin that it is about.
local STREAMS = {
  plugin_registered = "plugin:events",
  plugin_heartbeat = "plugin:events",
  plugin_heartbeat_missed = "plugin:events",
  plugin_invocation_started = "plugin:invocations:{}",
  plugin_invocation_completed = "plugin:invocations:{}",
  plugin_failed = "plugin:invocations:{}",
  plugin_timeout = "plugin:invocations:{}",
  dialog_reset = "dialog:events",
}

-- Plugins choose the names of their own events: what is no plugin's matter is the core's to say.
local CORE_ONLY = { dialog_reset = true }

---@param action string the event's name
---@param source string the plugin, or whatever it is about
---@return string|nil stream nil: it stays in audit_logs
function M.stream_of(action, source)
  local stream = STREAMS[action]
  if CORE_ONLY[action] and source ~= "core" then return nil end
  return stream and (stream:gsub("{}", source))
end

-- What stands in the stream, as JSON. `details` is JSON already.
local function data(id, source, action, severity, trace_id, details, at)
  local head = json.encode {
    id = id, event = action, source = source, severity = severity, trace_id = trace_id,
    occurred_at = time.rfc3339(at),
  }
  return details and details ~= json.null and ('%s,"details":%s}'):format(head:sub(1, -2), details)
    or head
end

local INTO = "INSERT INTO streams (stream, payload, created_at) VALUES "

---The statement that puts events on their way, for the transaction of the fact.
---@param rows any[][] as in audit_logs: id, source, action, severity, trace_id, details, created_at
---@return table|nil statement nil when none of them goes to a stream
function M.of_rows(rows)
  local out = {}
  for _, r in ipairs(rows) do
    local stream = M.stream_of(r[3], r[2])
    if stream then out[#out + 1] = { stream, data(unpack(r, 1, 7)), r[7] } end
  end
  return out[1] and insert(INTO, 3, out)
end

---@class parley.shared.Event
---@field id string|nil of the row in audit_logs; readers know by it what they have seen
---@field action string
---@field source string
---@field severity string
---@field trace_id string|nil
---@field details table|nil
---@field at integer|nil milliseconds

---@param stream string
---@param e parley.shared.Event
---@return table statement
function M.of_event(stream, e)
  local at = e.at or time.now_ms()
  return insert(INTO, 3, { {
    stream,
    data(e.id or crypto.uuid7(), e.source, e.action, e.severity,
      e.trace_id or task.trace() or crypto.trace_id(), e.details and json.encode(e.details), at),
    at,
  } })
end

return M
