-- The end of a deployment, whoever decides: in one transaction its row, the pin that says what
-- serves, and the fact.

local cluster = require "parley.cluster"
local copies = require "parley.deployments.copies"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local registry = require "parley.plugins.registry"
local rows = require "parley.deployments.rows"
local tallies = require "parley.deployments.tallies"
local task = require "host.task"
local time = require "host.time"
local versions = require "parley.plugins.versions"

local M = {}

local AGAIN_S, AGAIN_MAX_S = 1, 30 -- between attempts, doubled each time
local KEPT = 10 -- deployments of a plugin whose bundles stay in the database

---What stands in the audit about a deployment.
---@param row parley.Deployment
---@param more table
---@return table details
function M.details(row, more)
  local out = {
    deployment = row.number, version = row.canary_version, bundle = row.canary,
    stable_version = row.stable_version, stable_bundle = row.stable,
  }
  for key, value in pairs(more) do out[key] = value end
  return out
end

local FACTS = {
  promoted = function(core, row, details)
    return registry.fact(core.shared, row.plugin, "deployment_promoted", "info", details)
  end,
  rolled_back = function(core, row, details)
    return registry.fact(core.shared, row.plugin, "deployment_rolled_back",
      details.critical and "critical" or "error", details)
  end,
  cancelled = function(core, row, details)
    return registry.fact(core.shared, row.plugin, "deployment_cancelled", "warning", details)
  end,
}

---What puts a version into service for all dialogs, so that what served before can be gone back to.
---@param row parley.Deployment
---@param by string source of the audit row
---@return table[] statements
function M.serve(row, by)
  local out = { versions.pin(row.plugin, row.canary, by, ("deployment %d"):format(row.number)) }
  local function note(hash, version, origin, at)
    versions.note(out, {
      name = row.plugin, hash = hash, manifest = { version = version }, origin = origin,
    }, at)
  end
  local now = time.now_ms()
  if row.stable then note(row.stable, row.stable_version, row.stable_origin, now) end
  note(row.canary, row.canary_version, row.origin, now + 1)
  return out
end

---@class parley.Decision
---@field reason string
---@field by string source of the audit row: token:ID, cli, watch
---@field critical string|nil what has happened once and was enough
---@field first table|nil statement in front of the transaction
---@field more (fun(): table|nil)|nil statement at the end of it

---Ends a deployment that runs.
---@param core table parley.core
---@param row parley.Deployment
---@param state "promoted"|"rolled_back"|"cancelled"
---@param o parley.Decision
---@return boolean|nil ok
---@return table|nil err "conflict": somebody else has decided
function M.run(core, row, state, o)
  local whole, err = tallies.read(core.db, row)
  if not whole then return nil, err end
  local counts = tallies.summary(whole)
  local statements = { o.first }
  local function add(list) for _, s in ipairs(list) do statements[#statements + 1] = s end end
  add { rows.decide(row, state, o.reason, counts) }
  if state == "promoted" then add(M.serve(row, o.by)) end
  add { tallies.forget(row), copies.forget(row.plugin, row.number - KEPT), cluster.bump "plugins" }
  add(FACTS[state](core, row, M.details(row, {
    message = o.reason, by = o.by, critical = o.critical, counts = counts,
  })))
  if o.more then add { o.more() } end
  local ok
  ok, err = core.db:commit(statements)
  if not ok then return nil, err end
  meters.deployments:with(state):inc()
  core.shared:published()
  -- What this worker does not take up now it does with the next look of the cluster.
  registry.sync(core)
  return true
end

---Rolls back what a worker cannot serve with, until that is written down: what does not load
---everywhere, or has brought the worker down. The worker goes on with the stable version meanwhile.
---@param core table parley.core
---@param misfits {row: parley.Deployment, message: string, critical: string|nil}[]
function M.misfits(core, misfits)
  for _, misfit in ipairs(misfits) do
    local reason = misfit.critical and misfit.message
      or ("worker %s cannot load it: %s"):format(core.cluster.id, misfit.message)
    local pause = AGAIN_S
    while true do
      local ok, err = M.run(core, misfit.row, "rolled_back", {
        reason = reason, by = "worker", critical = misfit.critical,
      })
      if ok or err.code == "conflict" or core.cluster.stopped then break end
      log.write("error", "a version that cannot serve could not be rolled back; it is tried again",
        { plugin = misfit.row.plugin, error = err.message })
      task.sleep(pause)
      pause = math.min(2 * pause, AGAIN_MAX_S)
    end
  end
end

return M
