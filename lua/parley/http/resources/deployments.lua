-- /api/v1/admin/plugins/{plugin_id}/deployments and /api/v1/admin/deployments: new versions of
-- plugins, for all dialogs or, on trial, for a share of them.

local app = require "parley.http.app"
local copies = require "parley.deployments.copies"
local deployments = require "parley.deployments"
local json = require "host.json"
local schema = require "parley.schema.v1alpha_deployments"

local M = {}

local OF_PLUGIN = "/api/v1/admin/plugins/{plugin_id}/deployments"

-- What a path holds is any bytes, and a database takes text only.
local NAME = "^%l[%l%d_]*$"

-- Keeps the answer for a repetition in the transaction of what the request does.
local function order_of(ctx, status)
  local order = { by = "token:" .. ctx.who.id, reason = ctx.body.reason }
  function order.more(answer)
    order.text = json.encode(answer)
    return ctx.once and ctx.once(status, order.text)
  end
  return order
end

-- What a bundle is refused for is the request's matter.
local REFUSED = { plugin = true, config = true, bundle = true, rules = true }

local function refusal(err)
  if REFUSED[err.code] then err.code = "deployment_refused" end
  return nil, err
end

local function create(core, ctx)
  local body = ctx.body
  local b, err = copies.of_sources(core.config.home, ctx.params.plugin_id, body.files)
  if not b then return refusal(err) end
  local order = order_of(ctx, 201)
  for key, value in pairs(body) do if key ~= "files" then order[key] = value end end
  local answer
  answer, err = deployments.deploy(core, b, "bundle", order)
  if not answer then return refusal(err) end
  return app.json(ctx, 201, order.text)
end

local function decide(fn)
  return function(core, ctx)
    local order = order_of(ctx, 200)
    local answer, err = fn(core, ctx.params.plugin_id, order)
    if not answer then return nil, err end
    return app.json(ctx, 200, order.text)
  end
end

local function list(core, ctx)
  local found, err = deployments.list(core, ctx.params.plugin_id)
  if not found then return nil, err end
  return app.json(ctx, 200, json.encode { deployments = found })
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  local function add(method, path, route, handle)
    route.method, route.path, route.auth, route.scopes = method, path, "adm", { "admin" }
    route.handler = function(ctx)
      local id = ctx.params.plugin_id
      if id and not id:find(NAME) then
        return nil, { code = "not_found", message = "no plugin has such a name" }
      end
      return handle(core, ctx)
    end
    router:add(route)
  end
  add("POST", OF_PLUGIN, {
    summary = "Put a version of a plugin in service, for all dialogs or for a share of them",
    request = schema.DeploymentCreateV1, response = schema.DeploymentCreatedV1,
    statuses = { [201] = "It serves" },
    problems = { "deployment_refused", "plugin_conflict", "conflict" },
  }, create)
  add("GET", OF_PLUGIN, {
    summary = "The deployments of a plugin, newest first", response = schema.DeploymentListV1,
  }, list)
  add("POST", OF_PLUGIN .. "/promote", {
    summary = "Give the version on trial to all dialogs", request = schema.ReasonV1,
    response = schema.DeploymentDecidedV1, problems = { "conflict" }, body_optional = true,
  }, decide(deployments.promote))
  add("POST", OF_PLUGIN .. "/abort", {
    summary = "Give the stable version to all dialogs again", request = schema.ReasonV1,
    response = schema.DeploymentDecidedV1, problems = { "conflict" }, body_optional = true,
  }, decide(deployments.abort))
  add("GET", "/api/v1/admin/deployments", {
    summary = "The versions of all plugins that are on trial", response = schema.DeploymentListV1,
  }, list)
end

return M
