-- Where a plugin lies that the command line names: by path, or by name in the home or among those
-- that ship.

local fs = require "host.fs"
local suggest = require "parley.util.suggest"

local M = {}

local function is_plugin(dir) return fs.exists(dir .. "/manifest.json") end

---@param home string
---@return table<string, string> folder by name
function M.all(home)
  local out = {}
  for _, dir in ipairs { fs.data_dir() .. "/plugins", home .. "/plugins" } do
    for _, name in ipairs(fs.exists(dir) and fs.list(dir) or {}) do
      if is_plugin(dir .. "/" .. name) then out[name] = dir .. "/" .. name end
    end
  end
  return out
end

---@param home string
---@param given string
---@return string|nil dir
---@return table|nil err
function M.one(home, given)
  given = given:gsub("(.)/+$", "%1")
  if is_plugin(given) then return fs.realpath(given) end
  local all = M.all(home)
  if all[given] then return fs.realpath(all[given]) end
  return nil, {
    code = "plugin", retryable = false, op = "plugin",
    message = ("there is no plugin '%s': neither a folder with a manifest.json nor a name "
      .. "in %s/plugins.%s"):format(given, home, suggest.hint(given, all)),
  }
end

return M
