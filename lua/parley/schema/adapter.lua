-- Manifests of version v1beta as the host knows them: in the form of v1alpha. What is wrong with
-- one is told in the words of its own version.

local compile = require("parley.schema.compile").compile
local join = require("parley.util.json_lines").join
local json = require "host.json"
local v1beta = require "parley.schema.v1beta"

local M = {}

-- What v1alpha has at the top, v1beta has under `transport`.
local MOVED = { "endpoint", "heartbeat_interval_sec" }

local CHECKS = { transport = compile(v1beta.transport), permissions = compile(v1beta.permissions) }

---@param report fun(path: string, code: string, format: string, ...)
local function check(report, m)
  local good = true
  local function wrong(...)
    good = false
    report(...)
  end
  for _, key in ipairs(MOVED) do
    if m[key] ~= nil then
      wrong(key, "unknown_key", "unknown key '%s': in v1beta it is 'transport.%s'", key, key)
    end
  end
  for key, problems_of in pairs(CHECKS) do
    for _, e in ipairs(m[key] ~= nil and problems_of(m[key]) or {}) do
      local path = key
      for part in e.path:gmatch "[^/]+" do path = join(path, tonumber(part) or part) end
      wrong(path, e.code, "%s", e.message)
    end
  end
  return good
end

-- Where a member of the v1alpha form stands in the v1beta one.
local function place(path)
  for _, key in ipairs(MOVED) do
    if path == key then return "transport." .. key end
  end
  if path == "transport" then return "transport.type" end
  return (path:gsub("^permissions%[%d+%]$", "%0.name"))
end

---Brings a manifest of any version into the form of v1alpha.
---@param m any a manifest, decoded; not changed
---@param report fun(path: string, code: string, format: string, ...) is told what is wrong
---@return any|nil form nil: something is wrong with it
---@return fun(path: string): string place where a member of the form stands in the manifest
function M.to_v1alpha(m, report)
  local function same(path) return path end
  if type(m) ~= "table" or m.schema ~= "v1beta" then return m, same end
  if not check(report, m) then return nil, place end
  local form = {}
  for key, value in pairs(m) do form[key] = value end
  form.schema = "v1alpha"
  form.supported_schema_versions = m.supported_schema_versions or json.array { "v1beta" }
  if m.transport then
    form.transport = m.transport.type
    for _, key in ipairs(MOVED) do form[key] = m.transport[key] end
  end
  if m.permissions then
    form.permissions = json.array()
    for i, p in ipairs(m.permissions) do form.permissions[i] = p.name end
  end
  return form, place
end

---What a manifest says of its permissions, by their names.
---@param m table a manifest of any version, checked
---@return table<string, string|table<string, string>>|nil reasons nil: v1alpha has none
function M.reasons(m)
  if m.schema ~= "v1beta" then return nil end
  local out = {}
  for _, p in ipairs(m.permissions or {}) do out[p.name] = p.reason end
  return out
end

return M
