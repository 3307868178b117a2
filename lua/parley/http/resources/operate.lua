-- /api/v1/admin/plugins/{plugin_id}/enable, /disable and /api/v1/admin/reload.

local app = require "parley.http.app"
local audit = require "parley.store.audit"
local json = require "host.json"
local registry = require "parley.plugins.registry"
local schema = require "parley.schema.v1alpha_admin"
local switch = require "parley.plugins.switch"

local M = {}

-- Changes the state in the database, then in this worker.
local function commit(core, ctx, plugin, reason, statements, status)
  if not statements then return nil, status end
  local disabled = status == "disabled"
  statements[#statements + 1] = audit.insert {
    source = "token:" .. ctx.who.id, action = disabled and "plugin_disabled" or "plugin_enabled",
    severity = disabled and "warning" or "info",
    details = { plugin_id = plugin.name, reason = reason },
  }
  local text = json.encode {
    plugin_id = plugin.name, status = status, reason = disabled and reason or nil,
  }
  if ctx.once then statements[#statements + 1] = ctx.once(200, text) end
  local ok, err = core.db:commit(statements)
  if ok then ok, err = registry.sync(core) end
  if not ok then return nil, err end
  return app.json(ctx, 200, text)
end

local function disable(core, ctx)
  local plugin, err = switch.find(core.manager.current, ctx.params.plugin_id)
  if not plugin then return nil, err end
  local reason = ctx.body.reason or "an operator has disabled it"
  return commit(core, ctx, plugin, reason, switch.disable(core, plugin, reason))
end

local function enable(core, ctx)
  local plugin, err = switch.find(core.manager.current, ctx.params.plugin_id)
  if not plugin then return nil, err end
  return commit(core, ctx, plugin, ctx.body.reason, switch.enable(core, plugin))
end

local function reload(core, ctx)
  local result, err = core:reload_everywhere()
  if not result then
    return nil, {
      code = err.retryable and "busy" or "reload_refused", message = err.message,
    }
  end
  local text = json.encode {
    generation = result.generation, plugins = result.plugins, rules = result.rules,
    took_ms = result.took_ms, needs_restart = result.needs_restart,
  }
  if ctx.once then
    local ok, problem = core.db:commit { ctx.once(200, text) }
    if not ok then return nil, problem end
  end
  return app.json(ctx, 200, text)
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  local function add(path, route, handle)
    route.method, route.path, route.auth, route.scopes = "POST", path, "adm", { "admin" }
    route.body_optional = true
    route.handler = function(ctx) return handle(core, ctx) end
    router:add(route)
  end
  add("/api/v1/admin/plugins/{plugin_id}/disable", {
    summary = "Keep a plugin from being chosen", request = schema.ReasonV1,
    response = schema.PluginStateV1, problems = { "plugin_not_found", "conflict" },
  }, disable)
  add("/api/v1/admin/plugins/{plugin_id}/enable", {
    summary = "Let a plugin be chosen again", request = schema.ReasonV1,
    response = schema.PluginStateV1, problems = { "plugin_not_found", "conflict" },
  }, enable)
  add("/api/v1/admin/reload", {
    summary = "Take up settings, rules and plugins in every worker", request = schema.NothingV1,
    response = schema.ReloadV1, problems = { "reload_refused" },
  }, reload)
end

return M
