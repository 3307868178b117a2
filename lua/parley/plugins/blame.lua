-- What becomes of a plugin that was on the CPU when a worker hung or crashed: its successor leaves
-- it alone from the start, then writes down, for every worker and for the time after a restart,
-- that it is disabled, and tells the operator. TR-008 does the same by the event; this does not
-- depend on what an operator has made of the triggers.

local log = require "parley.ops.log"
local registry = require "parley.plugins.registry"
local switch = require "parley.plugins.switch"
local task = require "host.task"
local versions = require "parley.plugins.versions"

local M = {}

-- Begins the reason of what this has disabled; parley.plugins.switch looks for it.
local REASON = "watchdog: "

local AGAIN_S, AGAIN_MAX_S = 1, 30 -- between attempts to write it down, doubled each time

-- The engine's name for the state of the rules, which nothing can stand in for.
local RULES = "(rules)"

---@param suspect {plugin: string, signal: string|nil, trace_id: string|nil} host.worker
---@return string how for people
local function words(suspect)
  if suspect.signal == "KILL" then
    return "the host was killed three times (SIGKILL) while it ran for the same turn"
  end
  if suspect.signal then return "it has crashed the host (SIG" .. suspect.signal .. ")" end
  return "it has hung the host"
end

-- A version beside the one that serves - on trial, or replaced while a conversation was under way -
-- has a name of its own (parley.deployments.copies.label). It is taken back, and the plugin itself
-- goes on.
---@return string|nil plugin
---@return string hash its beginning
local function version_of(suspect) return suspect.plugin:match "^(.-)@(%x+)$" end

---Before the first generation is built: the plugin is not even loaded.
---@param core table parley.core
---@param suspect table|nil host.worker's
function M.spare(core, suspect)
  if not suspect or suspect.plugin == core.config.fallback_plugin then return end
  if version_of(suspect) then
    core.manager.spared[suspect.plugin] = {
      message = words(suspect), critical = suspect.signal and "crash" or "hang",
    }
    return
  end
  core.manager:disable(suspect.plugin, REASON .. words(suspect))
end

local function statements(core, suspect, message)
  local out = registry.fact(core.shared, suspect.plugin, "plugin_failed", "critical", {
    code = suspect.signal and "crash" or "hang", message = message, signal = suspect.signal,
    of_trace_id = suspect.trace_id,
  })
  local plugin = switch.find(core.manager.current, suspect.plugin)
  local disabling = plugin and switch.disable(core, plugin, REASON .. words(suspect))
  for _, statement in ipairs(disabling or {}) do out[#out + 1] = statement end
  return out, disabling and plugin
end

-- Tries until it is stored: a worker may come back before its database does.
---@param make fun(): table[], parley.Plugin|nil statements, and which plugin they disable
local function store(core, make)
  local pause = AGAIN_S
  while true do
    local list, plugin = make()
    local ok, err = core.db:commit(list)
    if ok then
      core.shared:published()
      -- From here on the row says it: an operator who enables it does so in every worker.
      if plugin then core.manager:leave_to_row(plugin) end
      return
    end
    log.write("error", "the event could not be stored and is tried again", { error = err.message })
    task.sleep(pause)
    pause = math.min(2 * pause, AGAIN_MAX_S)
  end
end

---After it: the operator is told, by the log and by an event.
---@param core table parley.core with a generation
---@param suspect table|nil host.worker's
function M.tell(core, suspect)
  if not suspect then return end
  local what = words(suspect)
  if suspect.plugin == RULES then
    what = what .. "; look at conf/rules.lua"
  elseif suspect.plugin == core.config.fallback_plugin then
    what = what .. "; nobody stands behind the fallback plugin, so it goes on"
  elseif version_of(suspect) then
    what = what .. ", is not loaded again and taken back"
  else
    what = what .. " and is disabled"
  end
  log.write("error", "a plugin has brought a worker down: " .. what, {
    plugin = suspect.plugin, severity = "critical", signal = suspect.signal,
    trace_id = suspect.trace_id,
  })
  local name, hash = version_of(suspect)
  task.spawn(store, core, function()
    if not name then return statements(core, suspect, what) end
    -- What becomes of a canary its deployment writes down, too (parley.deployments.decide).
    return { versions.take_back(name, hash) }
  end)
end

return M
