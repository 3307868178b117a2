-- The fields of PluginManifestV1: shape, bounds and meaning of each, one small check per field.
--
-- A check is check(report, value, path): it reports what is wrong and returns nothing. `report` is
-- report(path, code, format, ...).

local compile_schema = require("parley.schema.compile").compile
local json = require "host.json"
local pattern = require "parley.util.pattern"
local suggest = require "parley.util.suggest"
local join = require("parley.util.json_lines").join

local M = {}

--- What a plugin may use of the host when it states nothing.
M.LIMITS = {
  cpu_ms = 50, timeout_ms = 5000, memory_mb = 16, calls = 200, http = 8, reply_bytes = 262144,
}

local function is_object(v) return type(v) == "table" and not json.is_array(v) end

local function show(v)
  if type(v) == "string" then return ("'%s'"):format(#v > 40 and v:sub(1, 40) .. "..." or v) end
  if type(v) == "number" then return ("%.14g"):format(v) end
  if v == json.null then return "null" end
  if type(v) == "table" then return json.is_array(v) and "a list" or "an object" end
  return tostring(v)
end

local function expected(report, path, what, value)
  report(path, "type", "%s expected, got %s", what, show(value))
end

-- makers of checks --------------------------------------------------------------------------------

local function text(max)
  return function(report, value, path)
    if type(value) ~= "string" or value == "" then
      return expected(report, path, "a text", value)
    end
    if #value > max then report(path, "too_long", "at most %d bytes, got %d", max, #value) end
  end
end

local function matching(lua_pattern, what)
  return function(report, value, path)
    if type(value) ~= "string" or not value:find(lua_pattern) then
      expected(report, path, what, value)
    end
  end
end

local function one_of(...)
  local names = { ... }
  return function(report, value, path)
    for _, name in ipairs(names) do if value == name then return end end
    local hint = type(value) == "string" and suggest.hint(value, names) or ""
    report(path, "value", "one of %s expected, got %s.%s", table.concat(names, ", "), show(value),
      hint)
  end
end

local function number(min, max, whole)
  return function(report, value, path)
    if type(value) ~= "number" or (whole and value % 1 ~= 0) then
      return expected(report, path, whole and "a whole number" or "a number", value)
    end
    if value < min or value > max then
      report(path, "range", "%.14g to %.14g expected, got %.14g", min, max, value)
    end
  end
end

---@param check function of each item
---@param key? fun(item: any): any what must not stand twice
local function list(check, max, key)
  return function(report, value, path)
    if not json.is_array(value) then return expected(report, path, "a list", value) end
    if #value > max then
      return report(path, "too_long", "at most %d items, got %d", max, #value)
    end
    local seen = {}
    for i, item in ipairs(value) do
      local at = join(path, i - 1)
      check(report, item, at)
      local id = (key or function(v) return v end)(item)
      if id ~= nil and type(id) ~= "table" then
        if seen[id] then report(at, "duplicate", "%s stands twice", show(id)) end
        seen[id] = true
      end
    end
  end
end

local function object(fields, required)
  return function(report, value, path)
    if not is_object(value) then return expected(report, path, "an object", value) end
    for _, key in ipairs(required or {}) do
      if value[key] == nil then report(path, "required", "'%s' is missing", key) end
    end
    for key, v in pairs(value) do
      local at = join(path, key)
      if fields[key] then
        fields[key](report, v, at)
      else
        report(at, "unknown_key", "unknown key '%s'.%s", key, suggest.hint(key, fields))
      end
    end
  end
end

-- the fields --------------------------------------------------------------------------------------

local NAME = "^%l[%l%d_]+$"
local plugin_name = function(report, value, path)
  if type(value) ~= "string" or not value:find(NAME) or #value > 40 then
    expected(report, path, "a name like 'order_desk' (a-z, 0-9, _, 2 to 40 letters)", value)
  end
end

-- Semantic Versioning 2.0.0, section 9 and 10: no leading zeros in the three numbers.
local function semver(report, value, path)
  local major, minor, patch, rest = tostring(value):match "^(%d+)%.(%d+)%.(%d+)(.*)$"
  local good = type(value) == "string" and major and (rest == "" or rest:find "^%-[%w.-]+$"
    or rest:find "^%+[%w.-]+$" or rest:find "^%-[%w.-]+%+[%w.-]+$")
  for _, n in ipairs { major or "", minor or "", patch or "" } do
    if n:find "^0%d" then good = false end
  end
  if not good then expected(report, path, "a version like 1.0.0", value) end
end

local LOCALE = "^%l%l%l?$"
local function locale(report, value, path)
  local language = type(value) == "string" and (value:match "^(%l+)%-[%u%d][%w-]*$" or value)
  if not language or not language:find(LOCALE) then
    expected(report, path, "a locale like 'uk' or 'uk-UA'", value)
  end
end

-- A text, or one by locale.
local function localised(max)
  local plain = text(max)
  return function(report, value, path)
    if not is_object(value) then return plain(report, value, path) end
    for key, v in pairs(value) do
      locale(report, key, join(path, key))
      plain(report, v, join(path, key))
    end
  end
end

local function lua_pattern(report, value, path)
  if type(value) ~= "string" or value == "" then
    return expected(report, path, "a pattern", value)
  end
  local matches, problem = pattern.compile(value)
  if not matches then report(path, "pattern", "the pattern %s: %s", show(value), problem) end
end

local WORDS = { "kv", "history", "events", "jobs", "llm:chat" }

local function is_host(host)
  local name, port = host:match "^([^:]+):?(%d*)$"
  if not name or (port ~= "" and tonumber(port) > 65535) or host:find ":$" then return false end
  name = name:gsub("^%*%.", "")
  return #name <= 253 and name:find "^[%w.-]+$" ~= nil and name:find "%w$" ~= nil
    and not name:find "^[.-]" and not name:find("..", 1, true)
end

local function permission(report, value, path)
  if type(value) ~= "string" then return expected(report, path, "a permission", value) end
  for _, word in ipairs(WORDS) do if value == word then return end end
  local host = value:match "^http:(.*)$"
  if host then
    if host:find "^//" or host:find "/" then
      return report(path, "permission", "a host without scheme and path expected, like "
        .. "'http:%s'", host:match "^/*([^/]*)" or "api.example.org")
    end
    if not is_host(host) then
      report(path, "permission", "'http:HOST' expected, HOST like api.example.org, *.example.org "
        .. "or 127.0.0.1:8080; got %s", show(value))
    end
    return
  end
  if value:find "^secret" then
    return report(path, "permission", "secrets are named under \"secrets\", not here: got %s",
      show(value))
  end
  local known = { "http:HOST", unpack(WORDS) }
  report(path, "permission", "unknown permission %s.%s", show(value), suggest.hint(value, known))
end

local function endpoint(report, value, path)
  local host = type(value) == "string" and value:match "^https?://([^/?#%s\\]+)[^%s#?\\]*$"
  -- An IPv6 address stands in brackets; only the port behind it is as with a name.
  local behind = host and host:match "^%[[%x:.]+%](.*)$"
  if behind and (behind == "" or behind:find "^:") then host = "ip6" .. behind end
  if not host or host:find "^%*" or not is_host(host) then
    expected(report, path, "a URL like https://plugin.example.org/parley", value)
  end
end

local function json_schema(report, value, path)
  if not is_object(value) then return expected(report, path, "a JSON Schema", value) end
  local good, problem = pcall(compile_schema, value)
  if not good then report(path, "schema", "%s", (tostring(problem):gsub("^.-:%d+: ", ""))) end
end

local function name_of(item) return type(item) == "table" and item.name or nil end

local session_fields = {
  scope = one_of("dialog", "user", "chat"), ttl = number(1, 31536000), schema = json_schema,
}

local limit_fields = {
  cpu_ms = number(1, 5000), timeout_ms = number(10, 25000), memory_mb = number(1, 256),
  calls = number(1, 10000, true), http = number(0, 100, true),
  reply_bytes = number(256, 1048576, true),
}

M.intents = list(object({
  name = matching("^%a[%w_.-]*$", "an intent like 'book.create'"),
  examples = list(text(500), 200),
  threshold = number(0, 1),
  description = localised(1000),
}, { "name" }), 200, name_of)

M.check = object({
  schema = one_of("v1alpha", "v1beta"), -- parley.schema.adapter brings all into the first form
  name = plugin_name,
  version = semver,
  api = one_of "1",
  title = localised(200),
  description = localised(4000),
  transport = one_of("lua", "rest"),
  endpoint = endpoint,
  intents = M.intents,
  commands = list(object({
    name = matching("^%l[%l%d_]*$", "a command like 'start', without '/'"),
    description = localised(256),
  }, { "name" }), 100, name_of),
  patterns = list(lua_pattern, 50),
  when = object {
    channels = list(matching("^%l[%w_]*$", "a channel like 'telegram'"), 50),
    roles = list(one_of("user", "operator", "admin"), 3),
    locales = list(locale, 100),
    states = list(matching("^%a[%w_.]*$", "a state like 'asking'"), 100),
  },
  priority = number(0, 1000, true),
  before = list(plugin_name, 100),
  after = list(plugin_name, 100),
  permissions = list(permission, 100),
  secrets = list(matching("^%l[%l%d_]*$", "a secret's name like 'shop'"), 50),
  config = json_schema,
  session = object(session_fields),
  limits = object(limit_fields),
  on_error = one_of("fallback", "reply", "stop"),
  heartbeat_interval_sec = number(5, 3600),
  supported_schema_versions = list(one_of("v1alpha", "v1beta"), 10),
  locales = list(locale, 100),
}, { "schema", "name", "version", "api", "transport" })

return M
