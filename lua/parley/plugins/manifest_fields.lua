-- The fields of PluginManifestV1: shape, bounds and meaning of each.

local given = require "parley.schema.given"
local kinds = require "parley.plugins.manifest_kinds"
local pattern = require "parley.util.pattern"
local suggest = require "parley.util.suggest"

local expected, show = kinds.expected, kinds.show
local text, matching, one_of = kinds.text, kinds.matching, kinds.one_of
local number, list, object, described = kinds.number, kinds.list, kinds.object, kinds.described

local M = {}

--- What a plugin may use of the host when it states nothing.
M.LIMITS = {
  cpu_ms = 50, timeout_ms = 5000, memory_mb = 16, calls = 200, http = 8, reply_bytes = 262144,
}

local plugin_name =
  matching("^%l[%l%d_]+$", "a name like 'order_desk' (a-z, 0-9, _, 2 to 40 letters)", 40)

-- Semantic Versioning 2.0.0, section 9 and 10: no leading zeros in the three numbers.
local semver = {
  schema = { type = "string", description = "Semantic Versioning 2.0.0, like 1.0.0" },
  check = function(report, value, path)
    local major, minor, patch, rest = tostring(value):match "^(%d+)%.(%d+)%.(%d+)(.*)$"
    local good = type(value) == "string" and major and (rest == "" or rest:find "^%-[%w.-]+$"
      or rest:find "^%+[%w.-]+$" or rest:find "^%-[%w.-]+%+[%w.-]+$")
    for _, n in ipairs { major or "", minor or "", patch or "" } do
      if n:find "^0%d" then good = false end
    end
    if not good then expected(report, path, "a version like 1.0.0", value) end
  end,
}

local LOCALE = "^%l%l%l?$"
local locale = {
  schema = { type = "string", description = "a language, and perhaps a region: uk, uk-UA" },
  check = function(report, value, path)
    local language = type(value) == "string" and (value:match "^(%l+)%-[%u%d][%w-]*$" or value)
    if not language or not language:find(LOCALE) then
      expected(report, path, "a locale like 'uk' or 'uk-UA'", value)
    end
  end,
}

local function localised(max) return kinds.localised(max, locale) end

local lua_pattern = {
  schema = { type = "string", minLength = 1, description = "a pattern of Lua" },
  check = function(report, value, path)
    if type(value) ~= "string" or value == "" then
      return expected(report, path, "a pattern", value)
    end
    local matches, problem = pattern.compile(value)
    if not matches then report(path, "pattern", "the pattern %s: %s", show(value), problem) end
  end,
}

local WORDS = { "kv", "history", "events", "jobs", "files", "telegram", "llm:chat", "notify" }

local function is_host(host)
  local name, port = host:match "^([^:]+):?(%d*)$"
  if not name or (port ~= "" and tonumber(port) > 65535) or host:find ":$" then return false end
  name = name:gsub("^%*%.", "")
  return #name <= 253 and name:find "^[%w.-]+$" ~= nil and name:find "%w$" ~= nil
    and not name:find "^[.-]" and not name:find("..", 1, true)
end

local function check_permission(report, value, path)
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

local permission = {
  schema = { type = "string", description = table.concat(WORDS, ", ") .. " or http:HOST" },
  check = check_permission,
}

local endpoint = {
  schema = { type = "string", description = "base URL; the host adds /invoke and /manifest" },
  check = function(report, value, path)
    local host = type(value) == "string" and value:match "^https?://([^/?#%s\\]+)[^%s#?\\]*$"
    -- An IPv6 address stands in brackets; only the port behind it is as with a name.
    local behind = host and host:match "^%[[%x:.]+%](.*)$"
    if behind and (behind == "" or behind:find "^:") then host = "ip6" .. behind end
    if not host or host:find "^%*" or not is_host(host) then
      expected(report, path, "a URL like https://plugin.example.org/parley", value)
    end
  end,
}

local json_schema = {
  schema = { type = "object", description = "a JSON Schema" },
  check = function(report, value, path)
    if not kinds.is_object(value) then return expected(report, path, "a JSON Schema", value) end
    local good, problem = given.compile(value)
    if not good then report(path, "schema", "%s", problem) end
  end,
}

local function name_of(item) return type(item) == "table" and item.name or nil end

M.intents = list(object({
  name = matching("^%a[%w_.-]*$", "an intent like 'book.create'"),
  examples = list(text(500), 200),
  threshold = described("how sure the classifier must be", number(0, 1)),
  description = localised(1000),
}, { "name" }), 200, name_of)

local limits = object {
  cpu_ms = number(1, 5000), timeout_ms = number(10, 25000), memory_mb = number(1, 256),
  calls = described("of the door in one event", number(1, 10000, true)),
  http = described("requests in one event", number(0, 100, true)),
  reply_bytes = number(256, 1048576, true),
}
for key, value in pairs(M.LIMITS) do limits.schema.properties[key].default = value end

M.manifest = object({
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
  events = described("events of a channel that it wants to hear of",
    list(matching("^%a[%w_.]*$", "an event like 'telegram.poll_answer'", 64), 50)),
  when = object {
    channels = list(matching("^%l[%w_]*$", "a channel like 'telegram'"), 50),
    roles = list(one_of("user", "operator", "admin"), 3),
    locales = list(locale, 100),
    states = list(matching("^%a[%w_.]*$", "a state like 'asking'"), 100),
  },
  priority = described("the higher is asked first; default 100", number(0, 1000, true)),
  before = list(plugin_name, 100),
  after = list(plugin_name, 100),
  permissions = list(permission, 100),
  secrets = list(matching("^%l[%l%d_]*$", "a secret's name like 'shop_key' (a-z, 0-9, _)"), 50),
  config = described("a JSON Schema of its settings", json_schema),
  session = object {
    scope = one_of("dialog", "user", "chat"),
    ttl = described("seconds", number(1, 31536000)),
    schema = json_schema,
    newer = described("one that a newer version has left is kept as it is (default), or dropped",
      one_of("keep", "reset")),
  },
  data_version = described("of what it keeps in sessions and jobs, default 1; p.migrate brings "
    .. "older data to it", number(1, 1000000, true)),
  limits = limits,
  on_error = one_of("fallback", "reply", "stop"),
  heartbeat_interval_sec = number(5, 3600),
  supported_schema_versions = list(one_of("v1alpha", "v1beta"), 10),
  locales = list(locale, 100),
}, { "schema", "name", "version", "api", "transport" })

return M
