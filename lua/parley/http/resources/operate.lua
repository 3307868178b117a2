-- /api/v1/admin/plugins/{plugin_id}/enable, /disable, /rollback, /bundles and /api/v1/admin/reload.

local app = require "parley.http.app"
local everywhere = require "parley.cluster.everywhere"
local json = require "host.json"
local operate = require "parley.plugins.operate"
local problems = require "parley.plugins.problems"
local schema = require "parley.schema.v1alpha_admin"
local time = require "host.time"

local M = {}

-- What a generation is refused for, each problem with its file and line.
local function refused(err)
  local errors = json.array(problems.parse(err.message))
  return { code = "reload_refused", message = err.message, errors = errors }
end

-- Carries out what the request orders, and keeps the answer for a repetition in its transaction.
local function order(fn)
  return function(core, ctx)
    local text
    local result, err = fn(core, ctx.params.plugin_id, {
      by = "token:" .. ctx.who.id, reason = ctx.body.reason, to = ctx.body.to,
      more = function(result)
        text = json.encode(result)
        return ctx.once and ctx.once(200, text)
      end,
    }, ctx.body)
    if not result then return nil, err.code == "reload_refused" and refused(err) or err end
    return app.json(ctx, 200, text)
  end
end

local rollback = order(function(core, id, o, body)
  return (body.undo and operate.follow or operate.rollback)(core, id, o)
end)

local function bundles(core, ctx)
  local result, err = operate.bundles(core, ctx.params.plugin_id)
  if not result then return nil, err end
  for _, row in ipairs(result.bundles) do row.served_at = time.rfc3339(row.served_at) end
  json.array(result.bundles)
  return app.json(ctx, 200, json.encode(result))
end

-- The workers of all instances; refused when one of them has refused, and it says which.
local function reload_all(core)
  local workers, err = everywhere.run(core)
  if not workers then return nil, err end
  local wrong = {}
  for _, w in ipairs(workers) do
    if not w.ok then wrong[#wrong + 1] = ("%s: %s"):format(w.id, w.message) end
  end
  if #wrong > 0 then
    return nil, { code = "reload_refused", message = table.concat(wrong, "\n") }
  end
  local g = core.manager.current
  return {
    generation = g.number, plugins = #g.plugins, rules = g.rules.count, workers = workers,
    needs_restart = workers[1].needs_restart,
  }
end

local function reload(core, ctx)
  local result, err
  if ctx.body.everywhere then
    result, err = reload_all(core)
  else
    result, err = core:reload_everywhere()
  end
  if not result then
    return nil, err.retryable and { code = "busy", message = err.message } or refused(err)
  end
  local text = json.encode {
    generation = result.generation, plugins = result.plugins, rules = result.rules,
    took_ms = result.took_ms, needs_restart = result.needs_restart, workers = result.workers,
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
    route.method, route.path = route.method or "POST", path
    route.auth, route.scopes = "adm", { "admin" }
    route.body_optional = route.request and true or nil
    route.handler = function(ctx) return handle(core, ctx) end
    router:add(route)
  end
  add("/api/v1/admin/plugins/{plugin_id}/disable", {
    summary = "Keep a plugin from being chosen", request = schema.ReasonV1,
    response = schema.PluginStateV1, problems = { "plugin_not_found", "conflict" },
  }, order(operate.disable))
  add("/api/v1/admin/plugins/{plugin_id}/enable", {
    summary = "Let a plugin be chosen again", request = schema.ReasonV1,
    response = schema.PluginStateV1, problems = { "plugin_not_found", "conflict" },
  }, order(operate.enable))
  add("/api/v1/admin/plugins/{plugin_id}/rollback", {
    summary = "Go back to an earlier bundle of a plugin, or follow its folder again",
    request = schema.RollbackV1, response = schema.PluginBundleV1,
    problems = { "plugin_not_found", "conflict", "reload_refused" },
  }, rollback)
  add("/api/v1/admin/plugins/{plugin_id}/bundles", {
    method = "GET", summary = "What has served of a plugin", response = schema.PluginBundlesV1,
    problems = { "plugin_not_found", "conflict" },
  }, bundles)
  add("/api/v1/admin/reload", {
    summary = "Take up settings, rules and plugins in every worker",
    request = schema.ReloadRequestV1,
    response = schema.ReloadV1, problems = { "reload_refused" },
  }, reload)
end

return M
