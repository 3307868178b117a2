-- What an operator does with deployments, over HTTP and on the command line alike.

local bundle = require "parley.plugins.bundle"
local decide = require "parley.deployments.decide"
local deploy = require "parley.deployments.deploy"
local fs = require "host.fs"
local json = require "host.json"
local rows = require "parley.deployments.rows"
local tallies = require "parley.deployments.tallies"
local view = require "parley.deployments.view"

local M = {}

local LISTED = 20

---The deployments of a plugin, newest first; of all plugins those that run.
---@param core table parley.core
---@param plugin string|nil
---@return table[]|nil list of DeploymentV1, an array of JSON
---@return table|nil err
function M.list(core, plugin)
  local list, err
  if plugin then
    list, err = rows.of_plugin(core.db, plugin, LISTED)
  else
    list, err = rows.running(core.db)
  end
  if not list then return nil, err end
  local out = json.array()
  for i, row in ipairs(list) do
    local counts
    if row.state == "running" then
      local whole
      whole, err = tallies.read(core.db, row)
      if not whole then return nil, err end
      counts = tallies.summary(whole)
    end
    out[i] = view.of(row, counts)
  end
  return out
end

---Puts a version in service: parley.deployments.deploy.
M.deploy = deploy.run

-- deciding by hand --------------------------------------------------------------------------------

-- Ends the deployment of a plugin that runs.
local function finish(core, plugin, state, o)
  local row, err = rows.last(core.db, plugin)
  if err then return nil, err end
  if not row or row.state ~= "running" then
    return nil, {
      code = "conflict", retryable = false, op = "deployments",
      message = ("no new version of '%s' is on trial"):format(plugin),
    }
  end
  local reason = o.reason or state == "promoted" and "an operator has promoted it"
    or "an operator has aborted it"
  local answer = { plugin_id = plugin, number = row.number, state = state, reason = reason }
  local ok
  ok, err = decide.run(core, row, state, {
    reason = reason, by = o.by, more = o.more and function() return o.more(answer) end,
  })
  if not ok then return nil, err end
  return answer
end

---@param core table parley.core
---@param plugin string
---@param o {by: string, reason: string|nil, more: (fun(answer: table): table|nil)|nil}
---@return table|nil answer DeploymentDecidedV1
---@return table|nil err "conflict": none runs
function M.promote(core, plugin, o) return finish(core, plugin, "promoted", o) end

---The same for going back to the stable version.
function M.abort(core, plugin, o) return finish(core, plugin, "cancelled", o) end

-- The operator's own folders stay what they are; all others are bundles.
local function origin_of(core, dir, name)
  for origin, parent in pairs { shipped = fs.data_dir(), home = core.config.home } do
    if dir == fs.realpath(parent .. "/plugins/" .. name) then return origin end
  end
  return "bundle"
end

-- on the command line -----------------------------------------------------------------------------

local function deploy_folder(core, request)
  local dir = request.path
  local b, err = bundle.read(dir)
  if not b then return nil, err end
  request.by = "cli"
  return M.deploy(core, b, origin_of(core, dir, b.manifest.name), request)
end

local function by_hand(fn)
  return function(core, request)
    return fn(core, request.plugin, { by = "cli", reason = request.reason })
  end
end

---@type table<string, fun(core: table, request: table): any, table|nil> what comes over the control
---  socket as `plugin.NAME`: whoever may use it is an operator
M.orders = {
  deploy = deploy_folder, promote = by_hand(M.promote), abort = by_hand(M.abort),
  deployments = function(core, request) return M.list(core, request.plugin) end,
}

return M
