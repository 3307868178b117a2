-- The answer of a plugin, checked: it is input from outside, whichever way it came.

local actions = require "parley.schema.actions"
local conversation = require "parley.turn.conversation"
local gate = require "parley.plugins.gate"
local json = require "host.json"
local session = require "parley.turn.session"

local M = {}

local ACTIONS_MAX = 50

-- Actions that the host carries out need a permission, like calls at the door.
local PERMISSIONS = {
  schedule = "jobs", unschedule = "jobs", event = "events", telegram = "telegram",
}

local function refuse(code, plugin, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, plugin = plugin.name }
end

local function bad(...) return refuse("invalid_response", ...) end
local function too_large(...) return refuse("too_large", ...) end

local function check_actions(plugin, list)
  if type(list) ~= "table" or not (json.is_array(list) or #list > 0) then
    return bad(plugin, "actions: a list was expected")
  end
  local text = json.encode(list)
  if not text then return bad(plugin, "actions: cannot be written as JSON") end
  local limit = plugin.manifest.limits.reply_bytes
  if #text > limit then
    return too_large(plugin, "the answer has %d bytes, at most %d are allowed (limits.reply_bytes)",
      #text, limit)
  end
  if #list > ACTIONS_MAX then
    return bad(plugin, "actions: %d of them, at most %d are allowed", #list, ACTIONS_MAX)
  end
  for i, action in ipairs(list) do
    local problem = actions.problem(action)
    if problem then return bad(plugin, "actions[%d]: %s", i - 1, problem) end
    local permission = PERMISSIONS[action.type]
    if permission and not gate.allowed(plugin.manifest, permission) then
      return nil, select(2, gate.refuse("permission", "'%s' needs the permission '%s': add it to "
        .. "\"permissions\" in manifest.json", action.type, permission))
    end
  end
  return true
end

local function check_session(plugin, r, before)
  if r.state == nil then return true end
  if type(r.state) ~= "table" or json.is_array(r.state) then
    return bad(plugin, "state: an object was expected")
  end
  local after = session.after(before, r)
  local text, err = json.encode(after or {})
  if not text then return bad(plugin, "state: %s", err.message) end
  local problem = session.problem(plugin, after)
  if problem then return bad(plugin, "%s", problem) end
  if #text > session.MAX then
    return too_large(plugin, "the session would have %d bytes, at most %d are allowed", #text,
      session.MAX)
  end
  return true
end

---@param plugin parley.Plugin
---@param r any InvokeResponseV1
---@param before table|nil the plugin's session
---@return table|nil response
---@return table|nil PluginError
function M.check(plugin, r, before)
  if type(r) ~= "table" then return bad(plugin, "an object was expected") end
  if r.error ~= nil then
    local e = type(r.error) == "table" and r.error or {}
    return nil, {
      code = "exception", retryable = e.retryable == true, plugin = plugin.name,
      message = ("%s: %s"):format(type(e.code) == "string" and e.code or "error",
        type(e.message) == "string" and e.message or "no message"),
    }
  end
  for _, field in ipairs { "end", "declined" } do
    if r[field] ~= nil and type(r[field]) ~= "boolean" then
      return bad(plugin, "%s: true or false expected", field)
    end
  end
  if r.declined and r.continue then
    return bad(plugin, "continue: what is declined is not gone on with")
  end
  if plugin.manifest.transport ~= "lua" then r.wake = nil end -- it is the SDK's
  local problem = conversation.problem(r.wake)
  if problem then return bad(plugin, "%s", problem) end
  local ok, err = check_actions(plugin, r.actions)
  if ok then ok, err = check_session(plugin, r, before) end
  if not ok then return nil, err end
  return r
end

return M
