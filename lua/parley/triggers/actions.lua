-- What a trigger may do. Each kind of action: how it stands in conf/triggers.lua and is checked,
-- the statements that it adds to the transaction in which the event is marked as handled, and what
-- is left for afterwards.

local audit = require "parley.store.audit"
local json = require "host.json"
local modes = require "parley.triggers.mode"
local notify = require "parley.triggers.notify"
local registry = require "parley.plugins.registry"
local suggest = require "parley.util.suggest"
local switch = require "parley.plugins.switch"
local task = require "host.task"
local utf8 = require "parley.util.utf8"
local webhook = require "parley.triggers.webhook"
local webhook_key = require("parley.plugins.webhook").key

local M = {}

local REASON_MAX = 200 -- bytes

---An audit row about what a trigger does. It names the triggers that have led to it: none of them
---is set off by it.
---@param trigger parley.Trigger
---@param event parley.Event
---@param action string
---@param severity string
---@param details table
---@return table statement
function M.note(trigger, event, action, severity, details)
  local chain = event.details.triggers
  details.triggers = json.array { unpack(type(chain) == "table" and chain or {}) }
  table.insert(details.triggers, trigger.id)
  details.event, details.source, details.event_id = event.action, event.source, event.id
  return audit.insert {
    source = "trigger:" .. trigger.id, action = action, severity = severity,
    trace_id = event.trace_id, details = details,
  }
end

-- "source" is the plugin that the event is about.
local function check_plugin(path, given, fail)
  if type(given) ~= "string" or not given:find "^%l[%l%d_]+$" then
    fail(path, "\"source\", or the name of a plugin, expected, got '%s'", tostring(given))
  end
  return { plugin = given }
end

-- Some of the words are a plugin's: they must not keep it from being disabled.
local function reason_of(trigger, event)
  local message = event.details.message
  if type(message) ~= "string" then message = event.action end
  return ("trigger %s: %s"):format(trigger.id, utf8.clip((message:gsub("%c", " ")), REASON_MAX))
end

local function switching(to)
  return function(core, action, trigger, event)
    local name = action.plugin == "source" and event.source or action.plugin
    local plugin, err = switch.find(core.manager.current, name)
    if not plugin then return nil, err end
    local reason = reason_of(trigger, event)
    local statements, status = switch[to](core, plugin, reason)
    if not statements then return nil, status end
    if #statements == 0 then return {} end
    statements[#statements + 1] = M.note(trigger, event, "plugin_" .. to .. "d",
      to == "disable" and "warning" or "info",
      { plugin_id = name, status = status, reason = reason })
    return statements, function() registry.sync(core) end
  end
end

local KINDS = {
  notify = {
    check = function(path, given, fail)
      if given ~= "admins" then fail(path, "\"admins\" expected, got '%s'", tostring(given)) end
      return {}
    end,
    plan = function(core, _, trigger, event) return notify.plan(core, trigger, event) end,
  },
  disable = { check = check_plugin, plan = switching "disable" },
  enable = { check = check_plugin, plan = switching "enable" },
  mode = {
    check = function(path, given, fail)
      if not modes.MODES[given] then
        fail(path, "\"normal\" or \"degraded\" expected, got '%s'", tostring(given))
      end
      return { mode = given }
    end,
    plan = function(core, action, trigger, event)
      return modes.switch(action.mode, reason_of(trigger, event)), function() modes.sync(core) end
    end,
  },
  emit = {
    more = { severity = true },
    check = function(path, given, fail, one)
      if type(given) ~= "string" or not given:find "^%l[%l%d_]*$" or #given > 64 then
        fail(path, "the name of an event, like too_many_failures, expected, got '%s'",
          tostring(given))
      end
      local rank = require("parley.triggers").RANK
      if one.severity ~= nil and not rank[one.severity] then
        fail(path .. ".severity", "no severity is called '%s'", tostring(one.severity))
      end
      return { name = given, severity = one.severity }
    end,
    plan = function(_, action, trigger, event)
      return { M.note(trigger, event, action.name, action.severity or event.severity, {
        message = event.details.message,
      }) }
    end,
  },
  webhook = {
    more = { secret = true, allow_private = true },
    check = function(path, given, fail, one)
      if type(given) ~= "string" or not given:find "^https?://[^%s/]+" or #given > 2048 then
        fail(path, "a URL like https://ops.example.org/parley expected, got '%s'", tostring(given))
      end
      local key, problem
      if one.secret ~= nil then
        key, problem = webhook_key(one.secret)
        if not key then fail(path .. ".secret", "%s", problem) end
      end
      if one.allow_private ~= nil and type(one.allow_private) ~= "boolean" then
        fail(path .. ".allow_private", "true or false expected")
      end
      return { url = given, key = key, allow_private = one.allow_private or false }
    end,
    plan = function(core, action, trigger, event)
      return {}, function() task.spawn(webhook.call, core, action, trigger, event) end
    end,
  },
}

---Checks one action of a trigger.
---@param path string where it stands
---@param given any
---@param fail fun(path: string, format: string, ...) does not return
---@return table action with its `kind`
function M.check(path, given, fail)
  if type(given) ~= "table" then
    fail(path, "a table like { notify = \"admins\" } expected, got '%s'", tostring(given))
  end
  local kind
  for key in pairs(given) do
    if KINDS[key] then
      if kind then fail(path, "one action expected, got '%s' and '%s'", kind, key) end
      kind = key
    end
  end
  for key in pairs(given) do
    if key ~= kind and not (kind and KINDS[kind].more and KINDS[kind].more[key]) then
      fail(path, "there is no action '%s'.%s", tostring(key), suggest.hint(tostring(key), KINDS))
    end
  end
  if not kind then
    fail(path, "an action is missing: notify, disable, enable, mode, emit or webhook")
  end
  local action = KINDS[kind].check(path .. "." .. kind, given[kind], fail, given)
  action.kind = kind
  return action
end

---What an action does about an event.
---@param core table parley.core
---@param action table
---@param trigger parley.Trigger
---@param event parley.Event
---@return table[]|nil statements for the transaction
---@return fun()|table|nil after to be called once it is stored; or the error
function M.plan(core, action, trigger, event)
  return KINDS[action.kind].plan(core, action, trigger, event)
end

return M
