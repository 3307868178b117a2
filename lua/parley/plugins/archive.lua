-- A plugin as one file, to be sent and deployed: a JSON document with everything that the folder
-- says, and its hash. {"parley_plugin": 1, "name", "version", "hash", "files": {NAME: TEXT}}

local bundle = require "parley.plugins.bundle"
local folder = require "host.folder"
local fs = require "host.fs"
local json = require "host.json"

local M = {}

---@type string what the names of such files end with
M.SUFFIX = ".parley.json"

---@type integer bytes of a file
M.MAX = 16 * 1024 * 1024

local FORM = 1
local FILES = { "^manifest%.json$", "^main%.lua$", "^lib/[%w_-]+%.lua$", "^locales/[%w_-]+%.json$" }

local function fail(fmt, ...)
  return nil, {
    code = "plugin", retryable = false, op = "plugin.archive", message = fmt:format(...),
  }
end

---@param b parley.Bundle
---@return string text the same for the same bundle
function M.pack(b)
  return json.encode({
    parley_plugin = FORM, name = b.manifest.name, version = b.manifest.version, hash = b.hash,
    files = b.sources,
  }, { sorted = true }) .. "\n"
end

local function is_file_of_plugin(name)
  for _, pattern in ipairs(FILES) do
    if name:find(pattern) then return true end
  end
  return false
end

local function problem_of(document)
  if type(document) ~= "table" or document.parley_plugin ~= FORM then
    return "it is no plugin that parley plugin pack has made"
  end
  if type(document.name) ~= "string" or not document.name:find "^%l[%l%d_]+$"
    or #document.name > 40 then
    return "name: the name of a plugin expected"
  end
  if type(document.hash) ~= "string" then return "hash: a text expected" end
  if type(document.files) ~= "table" or json.is_array(document.files) then
    return "files: an object expected"
  end
  for name, text in pairs(document.files) do
    if type(text) ~= "string" then return ("files.%s: a text expected"):format(name) end
    if not is_file_of_plugin(name) then
      return ("files: '%s' is no file of a plugin: manifest.json, main.lua, lib/*.lua and "
        .. "locales/*.json are"):format(name)
    end
  end
end

---Unpacks a file into a new folder below another one.
---@param path string of the file
---@param into string that is there
---@return string|nil dir INTO/NAME
---@return table|nil err
function M.unpack(path, into)
  local text, err = fs.read(path, M.MAX)
  if not text then return nil, err end
  local document
  document, err = json.decode(text)
  if document == nil then return fail("%s: %s", path, err.message) end
  local problem = problem_of(document)
  if problem then return fail("%s: %s", path, problem) end
  local dir = into .. "/" .. document.name
  local ok
  ok, err = folder.write(dir, document.files)
  if not ok then return nil, err end
  local b
  b, err = bundle.read(dir)
  if not b then return nil, err end
  if b.hash ~= document.hash then
    return fail("%s: its files have the hash %s, and it says %s: it was changed on its way", path,
      b.hash:sub(1, 12), document.hash:sub(1, 12))
  end
  return dir
end

return M
