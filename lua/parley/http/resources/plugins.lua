-- /api/v1/plugins: registration, the catalogue, heartbeats.

local app = require "parley.http.app"
local catalogue = require "parley.plugins.catalogue"
local cluster = require "parley.cluster"
local json = require "host.json"
local own_plugin = require "parley.http.own_plugin"
local register = require "parley.plugins.register"
local registry = require "parley.plugins.registry"
local schema = require "parley.schema.v1alpha_plugins"
local time = require "host.time"

local M = {}

local PATH = "/api/v1/plugins"
local INTERVAL_S = 30 -- of heartbeats, when the manifest does not say

-- registration ------------------------------------------------------------------------------------

local function post_register(core, ctx)
  local status
  local result, err = register.run(core, ctx.body.manifest, {
    by = "token:" .. ctx.who.id, rotate = ctx.body.rotate,
    -- What is kept for a repetition has no secrets.
    more = function(r)
      status = r.new and 201 or 200
      return { ctx.once and ctx.once(status, json.encode(r.answer)) or nil }
    end,
  })
  if not result then return nil, err end
  return app.json(ctx, status or 200, json.encode(result.answer))
end

-- the catalogue -----------------------------------------------------------------------------------

local function get_catalogue(core, ctx)
  local list, err = catalogue.list(core, ctx.args.status, ctx.who.scopes.admin)
  if not list then return nil, err end
  return app.json(ctx, 200, json.encode { plugins = list })
end

-- heartbeats --------------------------------------------------------------------------------------

-- A plugin that an operator or a trigger has disabled stays so, whatever it says of itself.
local HEARTBEAT = "UPDATE plugins SET last_heartbeat = $2, "
  .. "status = CASE WHEN status = 'disabled' THEN status ELSE $3 END, "
  .. "reason = CASE WHEN status = 'disabled' THEN reason ELSE $4 END, "
  .. "manifest_checked_at = CASE WHEN $5 = 1 THEN NULL ELSE manifest_checked_at END "
  .. "WHERE id = $1 AND registered = 1 RETURNING status, reason"

-- The state that a heartbeat brings a registered plugin to, and the statement.
local function take_heartbeat(row, body, now)
  local refresh = body.version ~= nil and body.version ~= row.version
  local status = body.status == "ok" and "active" or "degraded"
  local reason = status == "degraded" and "it says so itself" or nil
  if row.status == "disabled" then status, reason = row.status, row.reason end
  return {
    status = status, refresh = refresh, changed = row.status ~= status or row.reason ~= reason,
    statement = {
      HEARTBEAT, row.id, now, status, reason or json.null, refresh and 1 or 0, n = 5, expect = 1,
    },
  }
end

-- A plugin of a folder that has a token of its own is heard, too: nothing depends on it.
local function note_heartbeat(core, id)
  return { status = core.manager.current.chooser.by_name[id].state, refresh = false }
end

local function heartbeat(core, ctx)
  local id, row, err
  id, err = own_plugin(core, ctx)
  if id then row, err = registry.get(core.db, id) end
  if err then return nil, err end
  local body, now = ctx.body, time.now_ms()
  local taken = row and row.registered and take_heartbeat(row, body, now)
    or note_heartbeat(core, id)
  local text = json.encode {
    status = taken.status, manifest_refresh = taken.refresh,
    next_heartbeat_before =
      time.rfc3339(now + (row and row.heartbeat_interval_sec or INTERVAL_S) * 1000),
  }
  local statements = registry.fact(core.shared, id, "plugin_heartbeat", "info", {
    status = body.status, version = body.version, inflight = body.inflight, metrics = body.metrics,
  })
  if taken.statement then table.insert(statements, 1, taken.statement) end
  if taken.changed then statements[#statements + 1] = cluster.bump "plugins" end
  if ctx.once then statements[#statements + 1] = ctx.once(200, text) end
  local results
  results, err = core.db:commit(statements)
  if not results then return nil, err end
  core.shared:published()
  if taken.changed then registry.sync(core) end
  return app.json(ctx, 200, text)
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  router:add {
    method = "POST", path = PATH .. "/register", auth = "reg", scopes = { "plugins:manage" },
    summary = "Register a REST plugin, or change its manifest",
    request = schema.PluginRegistrationRequestV1, response = schema.PluginRegistrationResponseV1,
    statuses = { [200] = "As it was, or updated", [201] = "Registered, with token and secret" },
    problems = { "endpoint_refused", "plugin_conflict", "conflict" },
    handler = function(ctx) return post_register(core, ctx) end,
  }
  router:add {
    method = "GET", path = PATH, auth = "plg", scopes = { "plugins:read" },
    summary = "The plugins that serve, with their manifests",
    response = schema.PluginCatalogResponseV1,
    query = {
      {
        name = "status", description = "only these; default: all but the disabled ones",
        schema = {
          type = "string", enum = { "registered", "active", "degraded", "disabled", "all" },
        },
      },
    },
    handler = function(ctx) return get_catalogue(core, ctx) end,
  }
  router:add {
    method = "POST", path = PATH .. "/{plugin_id}/heartbeat", auth = "plg",
    summary = "Say that a plugin is alive, and how it is",
    request = schema.PluginHeartbeatRequestV1, response = schema.HeartbeatAckV1,
    problems = { "conflict" }, handler = function(ctx) return heartbeat(core, ctx) end,
  }
end

return M
