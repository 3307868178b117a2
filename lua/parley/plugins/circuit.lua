-- The circuit of a plugin: one that costs time, memory or connections for nothing is left alone for
-- a while, whatever its transport, and the fallback answers at once.

local breaker = require "parley.util.breaker"
local log = require "parley.ops.log"
local time = require "host.time"

local M = {}

-- A plugin that says itself that it has failed, or lacks a permission, is quick and alive. The end
-- of its process is an exception to its users, and none of its own.
local COUNTED = {
  timeout = true, connect = true, bad_status = true, rate_limited = true, invalid_response = true,
  too_large = true, cpu_limit = true, memory_limit = true,
}

---@param name string of the plugin, for the log
---@return table breaker
function M.new(name)
  return breaker.new {
    clock = time.mono,
    on_change = function(state)
      log.write(state == "open" and "warn" or "info", "the circuit of a plugin is " .. state,
        { plugin = name })
    end,
  }
end

---Makes a call through the circuit of a plugin. One that has become degraded is called like one
---whose circuit was open: one at a time, until it has answered again.
---@param plugin parley.Plugin
---@param call fun(...): any returning response | nil, PluginError, attempts
---@return any response
---@return table|nil PluginError
---@return integer|nil attempts
function M.call(plugin, call, ...)
  local circuit, degraded = plugin.circuit, plugin.state == "degraded"
  if degraded and not plugin.doubted then circuit:doubt() end
  plugin.doubted = degraded
  local permit, again = circuit:enter()
  if not permit then
    return nil, {
      code = "circuit_open", retryable = true, plugin = plugin.name,
      message = ("it has failed too often and is asked again in %d s"):format(math.ceil(again)),
    }, 0
  end
  local response, err, attempts = call(...)
  circuit:report(permit, not (err and (COUNTED[err.code] or err.cause == "crashed")))
  return response, err, attempts
end

---For status pages.
---@return string|nil why nil: closed
function M.problem(circuit)
  local s = circuit:stats()
  if s.state == "closed" then return nil end
  return s.state == "open"
    and ("failed too often, asked again in %d s"):format(math.ceil(s.retry_after))
    or "failed too often, is being tried again"
end

return M
