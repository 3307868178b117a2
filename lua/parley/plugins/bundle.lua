-- A plugin folder, read without running anything: manifest.json and, of a Lua plugin, main.lua,
-- lib/*.lua, locales/*.json.

local crypto = require "host.crypto"
local fs = require "host.fs"
local locales = require "parley.plugins.locales"
local manifest = require "parley.plugins.manifest"

local M = {}

local SOURCE_MAX = 256 * 1024

local function fail(fmt, ...)
  return nil, {
    code = "plugin", retryable = false, op = "plugin.load", message = fmt:format(...),
  }
end

-- Every `*.ext` of a folder that may be missing, by name without the extension.
local function read_all(dir, ext)
  local out = {}
  if not fs.exists(dir) then return out end
  local names, err = fs.list(dir)
  if not names then return nil, err end
  for _, file in ipairs(names) do
    local name = file:match("^([%w_-]+)%." .. ext .. "$")
    if name then
      out[name], err = fs.read(dir .. "/" .. file, SOURCE_MAX)
      if not out[name] then return nil, err end
    end
  end
  return out
end

local function read_locales(dir, texts)
  local out = {}
  for name, source in pairs(texts) do
    local value, problem, line = locales.read(source)
    if not value then return fail("%s/locales/%s.json:%d: %s", dir, name, line, problem) end
    out[name] = value
  end
  return out
end

-- The hash of everything that the folder says, whatever order the file system lists it in.
local function hash_of(manifest_hash, main, lib, texts)
  local parts = { manifest_hash, main }
  for _, group in ipairs { lib, texts } do
    local names = {}
    for name in pairs(group) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do parts[#parts + 1] = name .. "\0" .. group[name] end
  end
  return crypto.hex(crypto.sha256(table.concat(parts, "\0")))
end

---@param dir string
---@return table|nil bundle {dir, manifest, files = {main, lib} | nil, hash}
---@return table|nil err message with a line `FILE:LINE: PATH: MESSAGE` for each problem
function M.read(dir)
  local m, result = manifest.load(dir)
  if not m then return fail("%s", manifest.describe(result)) end
  -- A REST plugin is its manifest; the rest of it is somewhere else.
  if m.transport == "rest" then return { dir = dir, manifest = m, hash = result } end
  local main, lib, texts, err
  main, err = fs.read(dir .. "/main.lua", SOURCE_MAX)
  if not main then return nil, err end
  lib, err = read_all(dir .. "/lib", "lua")
  if not lib then return nil, err end
  texts, err = read_all(dir .. "/locales", "json")
  if not texts then return nil, err end
  m.locales_data, err = read_locales(dir, texts)
  if not m.locales_data then return nil, err end
  return {
    dir = dir, manifest = m, files = { main = main, lib = lib },
    hash = hash_of(result, main, lib, texts),
  }
end

return M
