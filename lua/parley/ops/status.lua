-- What `parley status` shows of a worker.

local circuit = require "parley.plugins.circuit"
local json = require "host.json"
local ring = require "parley.plugins.ring"
local views = require "parley.deployments.views"

local M = {}

local function describe(p)
  local failing = p.state == "active" and circuit.problem(p.circuit)
  return {
    name = p.name, version = p.manifest.version, transport = p.manifest.transport,
    state = failing and "degraded" or p.state, reason = failing or p.reason or p.pin_problem,
    hash = p.hash:sub(1, 12), ring = p.ring, pinned = p.pinned or false, origin = p.origin,
    canary = p.canary and views.describe(p.canary) or nil, process = ring.process(p),
  }
end

---@param core table parley.core
---@return table
function M.of(core)
  local plugins = json.array()
  for i, p in ipairs(core.manager.current.plugins) do plugins[i] = describe(p) end
  return {
    plugins = plugins, generations = json.array(core.manager:status()),
    rules = core.manager.current.rules.count, turns_waiting = core.lanes.waiting,
    requests = core.listeners:stats().busy, database = core.db:stats(),
    draining = core.draining or false, behind = core.behind, isolation = ring.status(),
    certificate = core.certificate and core.certificate:status() or nil,
  }
end

return M
