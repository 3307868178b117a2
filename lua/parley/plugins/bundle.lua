-- A plugin folder, read without running anything: manifest.json, main.lua, lib/*.lua,
-- locales/*.json.

local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"

local M = {}

M.LIMITS = {
  cpu_ms = 50, timeout_ms = 5000, memory_mb = 16, calls = 200, http = 8, reply_bytes = 262144,
}

local function fail(path, fmt, ...)
  return nil, {
    code = "plugin", retryable = false, op = "plugin.load",
    message = path .. ": " .. fmt:format(...),
  }
end

-- Every `*.ext` of a folder that may be missing, by name without the extension.
local function read_all(dir, ext)
  local out = {}
  if not fs.exists(dir) then return out end
  local names, err = fs.list(dir)
  if not names then return nil, err end
  for _, file in ipairs(names) do
    local name = file:match("^([%w_]+)%." .. ext .. "$")
    if name then
      out[name], err = fs.read(dir .. "/" .. file, 256 * 1024)
      if not out[name] then return nil, err end
    end
  end
  return out
end

local function check(path, m)
  if type(m) ~= "table" or json.is_array(m) then return fail(path, "an object was expected") end
  if type(m.name) ~= "string" or not m.name:find "^%l[%l%d_]+$" or #m.name > 40 then
    return fail(path, "name: a name like 'order_desk' was expected, got '%s'", tostring(m.name))
  end
  if type(m.version) ~= "string" or not m.version:find "^%d+%.%d+%.%d+" then
    return fail(path, "version: like 1.0.0 was expected, got '%s'", tostring(m.version))
  end
  if m.transport ~= "lua" and m.transport ~= "rest" then
    return fail(path, "transport: 'lua' or 'rest' was expected, got '%s'", tostring(m.transport))
  end
  m.limits = m.limits or {}
  for key, value in pairs(M.LIMITS) do
    if m.limits[key] == nil then m.limits[key] = value end
    if type(m.limits[key]) ~= "number" or m.limits[key] <= 0 then
      return fail(path, "limits.%s: a positive number was expected", key)
    end
  end
  if m.limits.timeout_ms > 25000 then return fail(path, "limits.timeout_ms: at most 25000") end
  m.priority = m.priority or 100
  for _, key in ipairs { "intents", "commands", "patterns", "permissions" } do
    m[key] = m[key] or json.array()
  end
  return m
end

---@param dir string
---@return table|nil bundle {dir, manifest, files = {main, lib}, hash}
---@return table|nil err message with the file
function M.read(dir)
  local path = dir .. "/manifest.json"
  local text, err = fs.read(path, 256 * 1024)
  if not text then return nil, err end
  local m
  m, err = json.decode(text)
  if m == nil then return fail(path, "%s", err.message) end
  m, err = check(path, m)
  if not m then return nil, err end
  if m.name ~= dir:match "([^/]+)/?$" then
    return fail(path, "name: '%s' stands in the folder '%s'", m.name, dir:match "([^/]+)/?$")
  end
  local files = { lib = {} }
  if m.transport == "lua" then
    files.main, err = fs.read(dir .. "/main.lua", 256 * 1024)
    if not files.main then return nil, err end
    files.lib, err = read_all(dir .. "/lib", "lua")
    if not files.lib then return nil, err end
  end
  local locales
  locales, err = read_all(dir .. "/locales", "json")
  if not locales then return nil, err end
  m.locales_data = {}
  for name, source in pairs(locales) do
    m.locales_data[name], err = json.decode(source)
    if not m.locales_data[name] then
      return fail(("%s/locales/%s.json"):format(dir, name), "%s", err.message)
    end
  end
  local sum = { text, files.main or "" }
  for _, group in ipairs { files.lib, locales } do
    local names = {}
    for name in pairs(group) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do sum[#sum + 1] = name .. "\0" .. group[name] end
  end
  return {
    dir = dir, manifest = m, files = files,
    hash = crypto.hex(crypto.sha256(table.concat(sum, "\0"))),
  }
end

return M
