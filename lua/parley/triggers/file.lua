-- conf/triggers.lua: read, and checked whole before any of it counts. Problems name the file, the
-- line, the trigger and the key.

local actions = require "parley.triggers.actions"
local fs = require "host.fs"
local suggest = require "parley.util.suggest"
local triggers = require "parley.triggers"

local M = {}

local MAX = 200
local SEVERITIES = { "debug", "info", "warning", "error", "critical" }

-- The line of a key of a trigger, or the one that names the trigger.
local function line_of(source, id, key)
  local n, found = 0, nil
  for line in (source .. "\n"):gmatch "(.-)\n" do
    n = n + 1
    if not found and id and line:find(("id%%s*=%%s*[\"']%s[\"']"):format(id:gsub("%p", "%%%0")))
    then
      found = n
    end
    if found and key and line:find("%f[%w_]" .. key .. "%s*=") then return n end
  end
  return found or 1
end

local function show(v)
  return type(v) == "string" and ("'%s'"):format(v:sub(1, 60)) or tostring(v)
end

-- A report of one problem ends the reading: it is caught in M.parse.
local function reporter(file, source, n)
  local r = { id = nil }
  function r.fail(path, fmt, ...)
    local name = r.id and ("'%s'"):format(r.id) or "number " .. n
    error({ problem = ("%s:%d: trigger %s: %s: %s"):format(file,
      line_of(source, r.id, path:match "^[%w_]+"), name, path, fmt:format(...)) }, 0)
  end
  return r
end

local function keys(r, path, given, known)
  if type(given) ~= "table" then r.fail(path, "a table expected, got %s", show(given)) end
  for key in pairs(given) do
    if not known[key] then
      r.fail(path == "" and tostring(key) or path .. "." .. tostring(key), "unknown key.%s",
        suggest.hint(tostring(key), known))
    end
  end
end

local function number(r, path, value, min, max, default)
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < min or value > max then
    r.fail(path, "a number from %g to %g expected, got %s", min, max, show(value))
  end
  return value
end

local function list_of(value) return type(value) == "table" and value or { value } end

local function events(r, given)
  local out = {}
  for i, name in ipairs(list_of(given)) do
    if type(name) ~= "string" or not name:find "^[%w_.*]+$" or #name > 64 then
      r.fail("event", "the name of an event, like plugin_failed or plugin_*, expected, got %s",
        show(name))
    end
    out[i] = "^" .. name:gsub("%.", "%%."):gsub("%*", ".*") .. "$"
  end
  if #out == 0 then r.fail("event", "is missing") end
  return out
end

local function one_of(r, path, value, names)
  for _, name in ipairs(names) do if value == name then return value end end
  r.fail(path, "one of %s expected, got %s.%s", table.concat(names, ", "), show(value),
    suggest.hint(tostring(value), names))
end

local function set_of(r, path, value)
  local out = {}
  for _, v in ipairs(list_of(value)) do
    if type(v) == "table" then r.fail(path, "a value or a list of values expected") end
    out[v] = true
  end
  return out
end

local function conditions(r, given)
  if given == nil then return {} end
  keys(r, "when", given, { source = true, trace_id = true, details = true })
  local out = {}
  for name, value in pairs(given) do
    if name ~= "details" then out[name] = set_of(r, "when." .. name, value) end
  end
  if given.details ~= nil and type(given.details) ~= "table" then
    r.fail("when.details", "a table expected, got %s", show(given.details))
  end
  for name, value in pairs(given.details or {}) do
    local path = "details." .. tostring(name)
    out[path] = set_of(r, "when." .. path, value)
  end
  return out
end

local function texts(r, given)
  if given == nil then return nil end
  if type(given) == "string" then given = { en = given } end
  if type(given) ~= "table" or next(given) == nil then
    r.fail("text", "a text, or one by locale, expected, got %s", show(given))
  end
  for locale, text in pairs(given) do
    if type(locale) ~= "string" or not locale:find "^%l%l%l?[%w-]*$" then
      r.fail("text", "a locale like 'uk' expected, got %s", show(locale))
    elseif type(text) ~= "string" or text == "" or #text > 2000 then
      r.fail("text." .. locale, "a text of at most 2000 bytes expected")
    end
  end
  return given
end

local function acts(r, given)
  if type(given) ~= "table" or #given == 0 then
    r.fail("act", "a list of actions expected, like { { notify = \"admins\" } }")
  end
  local out = {}
  for i, one in ipairs(given) do
    out[i] = actions.check(("act[%d]"):format(i), one, r.fail)
  end
  return out
end

local KEYS = {
  id = true, enabled = true, event = true, severity = true, when = true, window = true,
  pause_seconds = true, text = true, act = true,
}

local function read_one(given, r)
  if type(given) ~= "table" then r.fail("", "a table expected, got %s", show(given)) end
  if type(given.id) ~= "string" or not given.id:find "^%w[%w_.-]*$" or #given.id > 40 then
    r.fail("id", "a name like TR-100 expected, got %s", show(given.id))
  end
  r.id = given.id
  keys(r, "", given, KEYS)
  if given.enabled ~= nil and type(given.enabled) ~= "boolean" then
    r.fail("enabled", "true or false expected, got %s", show(given.enabled))
  end
  local window = given.window == nil and {} or given.window
  keys(r, "window", window, { count = true, seconds = true, by = true })
  local count = number(r, "window.count", window.count, 1, 10000, 1)
  if count % 1 ~= 0 then r.fail("window.count", "a whole number expected") end
  return {
    id = given.id, enabled = given.enabled ~= false, events = events(r, given.event),
    severity = one_of(r, "severity", given.severity or "debug", SEVERITIES),
    when = conditions(r, given.when), count = count,
    seconds = number(r, "window.seconds", window.seconds, 1, 86400, 60),
    by = one_of(r, "window.by", window.by or "source", { "source", "all" }),
    pause_seconds = number(r, "pause_seconds", given.pause_seconds, 0, 86400, 0),
    text = texts(r, given.text), act = acts(r, given.act),
  }
end

---Checks the table of a file.
---@param given any
---@param source string the text of the file, for line numbers
---@param file string
---@return table|nil triggers parley.triggers
---@return table|nil err {code = "triggers", message}
function M.parse(given, source, file)
  local function fail(message)
    return nil, { code = "triggers", message = message, retryable = false, op = "triggers" }
  end
  if type(given) ~= "table" then
    return fail(("%s:1: the file must return a list of triggers, got %s"):format(file, type(given)))
  end
  for key in pairs(given) do
    if type(key) ~= "number" then
      return fail(("%s:1: a list of triggers expected, got the key '%s'"):format(file,
        tostring(key)))
    end
  end
  if #given > MAX then
    return fail(("%s:1: at most %d triggers, got %d"):format(file, MAX, #given))
  end
  local list, seen = {}, {}
  for n, one in ipairs(given) do
    local good, result = pcall(read_one, one, reporter(file, source, n))
    if not good and not (type(result) == "table" and result.problem) then error(result, 0) end
    if not good then return fail(result.problem) end
    if seen[result.id] then
      return fail(("%s:%d: trigger '%s': id: it stands twice"):format(file,
        line_of(source, result.id), result.id))
    end
    seen[result.id] = true
    if result.enabled then list[#list + 1] = result end
  end
  return triggers.new(list)
end

---Loads the triggers of a home, or those that ship when it has none of its own.
---@param config table parley.config
---@return table|nil triggers parley.triggers
---@return table|nil err
function M.load(config)
  local file = config.home .. "/conf/triggers.lua"
  if not config.exists(file) then file = fs.data_dir() .. "/conf/triggers.lua" end
  local good, given, source = config.evaluate(file)
  if not good then
    return nil, { code = "triggers", message = tostring(given), retryable = false, op = "triggers" }
  end
  return M.parse(given, source, file)
end

return M
