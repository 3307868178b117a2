-- The gate: every call of a plugin to the host passes here. Permission, quota, then the service.
--
-- A service is {permission = nil | name, run = function(invocation, ...)}. One with an effect that
-- the outside can see first calls invocation:admit(): the message is durable then, and after a
-- crash its turn is taken up again, not lost.

local time = require "host.time"

local M = {}

---What a plugin asks to have decoded must fit through the door with what is around it: 32 levels,
---65 536 values, of which each counts twice, with its key. An answer that does not would end the
---event, and the plugin would never hear why.
M.JSON = { max_depth = 31, max_nodes = 32000 }

local services = {}

---@param name string
---@param service {permission: string|nil, run: function}
function M.register(name, service)
  assert(not services[name], "service registered twice")
  services[name] = service
end

---A refusal, as a service returns it.
---@return nil
---@return table err
function M.refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "door" }
end

---@return boolean
function M.allowed(manifest, permission)
  for _, p in ipairs(manifest.permissions) do
    if p == permission then return true end
  end
  return false
end

local function timed(invocation, name, since, ...)
  local waited, took = invocation.waited, time.mono() - since
  waited[name] = (waited[name] or 0) + took
  if invocation.profile then invocation.profile:waited(name, took) end
  return ...
end

---The door of one invocation.
---@param invocation table parley.turn.invoke makes it
---@return fun(name: string, ...): any
function M.door(invocation)
  local manifest = invocation.manifest
  local calls = 0
  return function(name, ...)
    local service = services[name]
    if not service then return M.refuse("unknown_service", "there is no service '%s'", name) end
    calls = calls + 1
    if calls > manifest.limits.calls then
      return M.refuse("quota", "more than %d calls in one event (limits.calls)",
        manifest.limits.calls)
    end
    if service.permission and not M.allowed(manifest, service.permission) then
      return M.refuse("permission", "'%s' needs the permission '%s': add it to \"permissions\" in "
        .. "manifest.json", name, service.permission)
    end
    return timed(invocation, name, time.mono(), service.run(invocation, ...))
  end
end

return M
