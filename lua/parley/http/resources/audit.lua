-- /api/v1/admin/audit: what has happened, newest first.

local app = require "parley.http.app"
local feed = require "parley.store.feed"
local json = require "host.json"
local page = require "parley.http.page"
local schema = require "parley.schema.v1alpha_admin"
local time = require "host.time"

local M = {}

local SOURCE = {
  table = "audit_logs", columns = "id, source, action, severity, trace_id, details, created_at",
}

local function list(deps, ctx)
  local a = ctx.args
  local rows, next_cursor = feed.page(deps.db, SOURCE, {
    limit = a.limit, cursor = a.cursor, since = a.since, until_ms = a["until"],
    where = { source = a.source, action = a.action, severity = a.severity, trace_id = a.trace },
  })
  if not rows then return nil, next_cursor end
  local entries = json.array()
  for i, row in ipairs(rows) do
    row.created_at = time.rfc3339(row.created_at)
    row.details = row.details and json.decode(row.details)
    entries[i] = row
  end
  return app.json(ctx, 200, json.encode { entries = entries, next_cursor = next_cursor })
end

---@param router table
---@param deps {db: table}
function M.register(router, deps)
  router:add {
    method = "GET", path = "/api/v1/admin/audit", auth = "adm", scopes = { "admin" },
    summary = "What has happened, newest first", response = schema.AuditListV1,
    query = {
      page.limit "entries", page.cursor "older entries",
      page.word("source", "who did it: core, a plugin's name, token:ID"),
      page.word("action", "like plugin_registered"),
      page.word("severity", "exactly this one", page.SEVERITIES),
      page.word("trace", "a trace_id"), page.time("since", "from this time on"),
      page.time("until", "before this time"),
    },
    handler = function(ctx) return list(deps, ctx) end,
  }
end

return M
