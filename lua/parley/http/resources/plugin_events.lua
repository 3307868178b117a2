-- What plugins tell of themselves, and what is told of them.

local app = require "parley.http.app"
local audit = require "parley.store.audit"
local crypto = require "host.crypto"
local feed = require "parley.store.feed"
local json = require "host.json"
local own_plugin = require "parley.http.own_plugin"
local page = require "parley.http.page"
local rfc3339 = require "parley.util.rfc3339"
local schema = require "parley.schema.v1alpha_plugins"
local time = require "host.time"

local M = {}

local SOURCE = {
  table = "plugin_events",
  columns = "id, plugin_id, event_type, severity, payload, trace_id, invocation_id, occurred_at",
}

-- What an operator should hear of stands in the audit, too.
local AUDITED = { error = true, critical = true }

-- The times of all events, or the first that is none.
local function read_times(events, is_list)
  local times, now = {}, time.now_ms()
  for i, e in ipairs(events) do
    times[i] = e.occurred_at and rfc3339.parse(e.occurred_at) or not e.occurred_at and now
    if not times[i] then
      local path = (is_list and "/" .. (i - 1) or "") .. "/occurred_at"
      return nil, {
        code = "validation_failed", message = path .. ": there is no such time",
        errors = { { path = path, code = "format", message = "there is no such time" } },
      }
    end
  end
  return times
end

local function publish(core, ctx)
  local id, err = own_plugin(core, ctx)
  if not id then return nil, err end
  local is_list = json.is_array(ctx.body)
  local events = is_list and ctx.body or { ctx.body }
  local times
  times, err = read_times(events, is_list)
  if not times then return nil, err end
  local ids, statements = json.array(), {}
  for i, e in ipairs(events) do
    ids[i] = crypto.uuid7()
    statements[#statements + 1] = audit.plugin_event {
      id = ids[i], plugin = id, type = e.event_type, severity = e.severity,
      payload = e.payload, occurred_at = times[i], trace_id = e.trace_id,
      invocation_id = e.invocation_id,
    }
    if AUDITED[e.severity] then
      local row, published = core.shared:fact {
        source = id, action = e.event_type, severity = e.severity, details = e.payload,
        trace_id = e.trace_id,
      }
      statements[#statements + 1] = row
      statements[#statements + 1] = published
    end
  end
  local text = json.encode { accepted = #events, ids = ids }
  if ctx.once then statements[#statements + 1] = ctx.once(200, text) end
  local ok
  ok, err = core.db:commit(statements)
  if not ok then return nil, err end
  core.shared:published()
  return app.json(ctx, 200, text)
end

-- When the host took the event in: the first 48 bits of its id.
local function received_at(id)
  return time.rfc3339(tonumber(id:sub(1, 8) .. id:sub(10, 13), 16))
end

local function list(core, ctx)
  local a = ctx.args
  local rows, next_cursor = feed.page(core.db, SOURCE, {
    limit = a.limit, cursor = a.cursor, since = a.since, until_ms = a["until"],
    where = {
      plugin_id = a.plugin, event_type = a.type, severity = a.severity, trace_id = a.trace,
    },
  })
  if not rows then return nil, next_cursor end
  local events = json.array()
  for i, row in ipairs(rows) do
    row.payload = row.payload and json.decode(row.payload)
    row.occurred_at, row.received_at = time.rfc3339(row.occurred_at), received_at(row.id)
    events[i] = row
  end
  return app.json(ctx, 200, json.encode { events = events, next_cursor = next_cursor })
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  router:add {
    method = "POST", path = "/api/v1/plugins/{plugin_id}/events", auth = "plg",
    scopes = { "telemetry:write" }, summary = "Publish events of a plugin",
    request = schema.PluginEventsV1, response = schema.EventAckV1,
    handler = function(ctx) return publish(core, ctx) end,
  }
  router:add {
    method = "GET", path = "/api/v1/plugins/events", auth = "plg", scopes = { "events:read" },
    summary = "The events of all plugins, newest first", response = schema.PluginEventListV1,
    query = {
      page.limit "events", page.cursor "older events", page.word("plugin", "a plugin_id"),
      page.word("type", "like plugin_failed"),
      page.word("severity", "exactly this one", page.SEVERITIES),
      page.word("trace", "a trace_id"), page.time("since", "received from this time on"),
      page.time("until", "received before this time"),
    },
    handler = function(ctx) return list(core, ctx) end,
  }
end

return M
