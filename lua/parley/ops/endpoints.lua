-- The ops listener: metrics and probes. It has no tokens, so it is never on the public address.
--
--   /metrics    what Prometheus reads
--   /metrics/telegram-rate-limit
--               what each bot of Telegram sends, and what it waits for
--   /livez      the process answers; restart it when not
--   /startupz   the plugins are loaded and the database is open
--   /readyz     messages may be sent here: 503 while draining and while the database is away
--   /healthz    the same with details

local backlog = require "parley.ops.backlog"
local exposition = require "parley.ops.exposition"
local host_fs = require "host.fs"
local json = require "host.json"
local telegram = require "parley.ops.telegram"
local time = require "host.time"

local M = {}

local STARTED = time.mono()

local function headers(content_type)
  return "Content-Type: " .. content_type .. "\r\nCache-Control: no-store\r\n"
    .. "X-Content-Type-Options: nosniff\r\n"
end

local TEXT, JSON = headers(exposition.CONTENT_TYPE), headers "application/json"

local function respond(req, status, body)
  req:respond(status, JSON, json.encode(body, { sorted = true }) .. "\n")
end

local function check_database(core)
  local since = time.mono()
  local rows, err = core.db:query "SELECT 1"
  if not rows then return { status = "unavailable", code = err.code, message = err.message } end
  return { status = "ok", latency_ms = math.floor((time.mono() - since) * 1e6 + 0.5) / 1e3 }
end

local function check_plugins(core)
  local current = core.manager.current
  local active = 0
  for _, p in ipairs(current.plugins) do
    if p.state == "active" then active = active + 1 end
  end
  return { status = "ok", active = active, generation = current.number }
end

---@return integer http status
---@return table HealthV1
local function health(core)
  local checks = { database = check_database(core), plugins = check_plugins(core),
    shared = core.shared:health() }
  local status = core.draining and "draining" or checks.database.status
  return status == "ok" and 200 or 503, {
    status = status, version = host_fs.version(), checks = checks,
    uptime_seconds = math.floor(time.mono() - STARTED),
  }
end

local ROUTES = {
  ["/metrics"] = function(core, req)
    req:respond(200, TEXT, exposition.render(core.scrape:snapshot())
      .. exposition.render(backlog.snapshot(core.db)))
  end,
  ["/metrics/telegram-rate-limit"] = function(core, req)
    respond(req, 200, telegram.report(core.scrape:snapshot(), core.db, core.config.telegram.limits))
  end,
  ["/livez"] = function(_, req) respond(req, 200, { status = "ok" }) end,
  ["/startupz"] = function(_, req) respond(req, 200, { status = "ok" }) end,
  ["/readyz"] = function(core, req)
    local code, h = health(core)
    respond(req, code, { status = h.status, mode = h.checks.shared.mode })
  end,
  ["/healthz"] = function(core, req) respond(req, health(core)) end,
}

---The handler for host.http_server.
---@param core table parley.core
---@return fun(req: table, method: string, path: string)
function M.new(core)
  return function(req, method, path)
    local route = ROUTES[path]
    if not route then
      respond(req, 404, { status = "not_found" })
    elseif method ~= "GET" and method ~= "HEAD" then
      req:respond(405, JSON .. "Allow: GET, HEAD\r\n", '{"status":"method_not_allowed"}\n')
    else
      route(core, req)
    end
  end
end

return M
