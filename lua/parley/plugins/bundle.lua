-- A plugin folder, read without running anything: manifest.json and, of a Lua plugin, main.lua,
-- lib/*.lua, locales/*.json.

local crypto = require "host.crypto"
local fs = require "host.fs"
local locales = require "parley.plugins.locales"
local manifest = require "parley.plugins.manifest"

local M = {}

local SOURCE_MAX = 256 * 1024
local BUNDLE_MAX_MIB = 16 -- the core holds them all, in each worker, and the store each version

local function fail(fmt, ...)
  return nil, {
    code = "plugin", retryable = false, op = "plugin.load", message = fmt:format(...),
  }
end

-- Every `*.ext` of a folder that may be missing, by name without the extension. `room.left` is what
-- they may have together.
local function read_all(dir, ext, room)
  local out = {}
  if not fs.exists(dir) then return out end
  local names, err = fs.list(dir)
  if not names then return fail("%s", err.message) end
  for _, file in ipairs(names) do
    local name = file:match("^([%w_-]+)%." .. ext .. "$")
    if name then
      out[name], err = fs.read(dir .. "/" .. file, SOURCE_MAX)
      if not out[name] then return fail("%s", err.message) end
      room.left = room.left - #out[name]
      if room.left < 0 then
        return fail("%s: the files of a plugin have at most %d MiB together", dir, BUNDLE_MAX_MIB)
      end
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

-- Every file by its name below the folder, as it was read.
local function sources_of(manifest_text, main, lib, texts)
  local out = { ["manifest.json"] = manifest_text, ["main.lua"] = main }
  for name, text in pairs(lib) do out["lib/" .. name .. ".lua"] = text end
  for name, text in pairs(texts) do out["locales/" .. name .. ".json"] = text end
  return out
end

-- The hash of everything that the folder says, whatever order the file system lists it in. Names
-- and lengths stand in it, so that no text can pass for another file; of the manifest its meaning
-- counts, not its white space.
local function hash_of(manifest_hash, sources)
  local names, parts = {}, {}
  for name in pairs(sources) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local text = name == "manifest.json" and manifest_hash or sources[name]
    parts[i] = ("%s\0%d\0%s"):format(name, #text, text)
  end
  return crypto.hex(crypto.sha256(table.concat(parts)))
end

---@class parley.Bundle
---@field dir string
---@field manifest table checked, with locales_data
---@field files {main: string, lib: table<string, string>}|nil nil: a REST plugin
---@field sources table<string, string> every file by its name below the folder
---@field hash string of all of it

---@param dir string
---@param name string|nil the plugin's, where the folder has another one
---@return parley.Bundle|nil bundle
---@return table|nil err message with a line `FILE:LINE: PATH: MESSAGE` for each problem
function M.read(dir, name)
  local m, result, source = manifest.load(dir, name)
  if not m then return fail("%s", manifest.describe(result)) end
  -- A REST plugin is its manifest; the rest of it is somewhere else.
  if m.transport == "rest" then
    return { dir = dir, manifest = m, hash = result, sources = { ["manifest.json"] = source } }
  end
  local main, lib, texts, err
  main, err = fs.read(dir .. "/main.lua", SOURCE_MAX)
  if not main then return fail("%s", err.message) end
  local room = { left = BUNDLE_MAX_MIB * 2 ^ 20 - #main }
  lib, err = read_all(dir .. "/lib", "lua", room)
  if not lib then return nil, err end
  texts, err = read_all(dir .. "/locales", "json", room)
  if not texts then return nil, err end
  m.locales_data, err = read_locales(dir, texts)
  if not m.locales_data then return nil, err end
  local sources = sources_of(source, main, lib, texts)
  return {
    dir = dir, manifest = m, files = { main = main, lib = lib }, sources = sources,
    hash = hash_of(result, sources),
  }
end

return M
