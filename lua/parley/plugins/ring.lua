-- In which ring a plugin runs: in the worker's process (trusted), or in a confined process of its
-- own (isolated). The operator says so, or else the place that the plugin came from; the plugin
-- itself has no say.

local isolate = require "host.isolate"

local M = {}

M.NAMES = { "trusted", "isolated" }

-- What ships with the host, and what is in the operator's own folder. Everything else was brought
-- by somebody else, or nobody can say by whom.
local OWN = { shipped = true, home = true }

---@param origin "shipped"|"home"|"bundle" of parley.plugins.places
---@param config table parley.config
---@param given "trusted"|"isolated"|nil plugins.NAME.ring
---@return "trusted"|"isolated"
function M.of(origin, config, given)
  if given then return given end
  if config.plugin_ring ~= "origin" then return config.plugin_ring end
  return OWN[origin] and "trusted" or "isolated"
end

---What an operator wants to know of the process of an isolated plugin, in this worker.
---@param plugin parley.Plugin
---@return {pid: integer, memory_bytes: integer, limit_bytes: integer}|nil process nil: it has none
function M.process(plugin)
  local stats = plugin.ring == "isolated" and plugin.driver:stats()
  if not stats or not stats.pid or stats.broken then return nil end
  return { pid = stats.pid, memory_bytes = stats.memory, limit_bytes = stats.limit }
end

---What an operator wants to know of isolation, in this worker.
---@return {processes: integer, spares: integer, landlock: boolean|nil, problem: string|nil} status
---  landlock nil: no process has said yet
function M.status()
  local s = isolate.stats()
  local landlock
  if s.confined then landlock = s.landlock > 0 end
  return { processes = s.alive, spares = s.spares, landlock = landlock, problem = s.problem }
end

---Keeps confined processes ready while a generation with isolated plugins serves.
---@param generation parley.Generation
function M.keep_spares(generation)
  local needed = false
  for _, plugin in ipairs(generation.plugins) do
    local canary = plugin.canary and plugin.canary.plugin
    needed = needed or plugin.ring == "isolated" or canary and canary.ring == "isolated"
  end
  isolate.keep(needed and generation.config.plugin_spares or 0)
end

return M
