-- The gate: every call of a plugin to the host passes here. Permission, quota, then the service.
--
-- A service is {permission = nil | name, effect = boolean, run = function(invocation, ...)}. One
-- with
-- an effect first makes the message durable: after a crash its turn is taken up again, not lost.

local crypto = require "host.crypto"
local json = require "host.json"

local M = {}

local services = {}

---@param name string
---@param service {permission: string|nil, effect: boolean|nil, run: function}
function M.register(name, service)
  assert(not services[name], "service registered twice")
  services[name] = service
end

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "door" }
end

local function allowed(manifest, permission)
  for _, p in ipairs(manifest.permissions) do
    if p == permission then return true end
  end
  return false
end

---The door of one invocation.
---@param invocation {manifest: table, dialog_id: string, admit: fun(): boolean|nil, table|nil}
---@return fun(name: string, ...): any
function M.door(invocation)
  local manifest = invocation.manifest
  local calls = 0
  return function(name, ...)
    local service = services[name]
    if not service then return refuse("unknown_service", "there is no service '%s'", name) end
    calls = calls + 1
    if calls > manifest.limits.calls then
      return refuse("quota", "more than %d calls in one event (limits.calls)",
        manifest.limits.calls)
    end
    if service.permission and not allowed(manifest, service.permission) then
      return refuse("permission", "'%s' needs the permission '%s': add it to \"permissions\" in "
        .. "manifest.json", name, service.permission)
    end
    if service.effect then
      local ok, err = invocation.admit()
      if not ok then return nil, err end
    end
    return service.run(invocation, ...)
  end
end

M.register("uuid", { run = function() return crypto.uuid7() end })
M.register("json.encode", { run = function(_, v) return json.encode(v) end })
M.register("json.decode", {
  run = function(_, s)
    if type(s) ~= "string" then return refuse("invalid", "json.decode: text expected") end
    return json.decode(s)
  end,
})

return M
