-- Where the plugins of a generation lie: in the folders of the program and of the home; and in the
-- store, when one was deployed that has no folder.

local fs = require "host.fs"

local M = {}

---@class parley.PluginPlace
---@field dir string
---@field origin "shipped"|"home"|"bundle" home: the operator's own folder

local function folders(config)
  return {
    { dir = fs.data_dir() .. "/plugins", origin = "shipped" },
    { dir = config.home .. "/plugins", origin = "home" },
  }
end

---A plugin of the home takes the place of the one of the same name that ships; one that is being
---developed (plugin_folders, set by the tools) that of both.
---@param config table parley.config
---@return table<string, parley.PluginPlace>|nil found by name
---@return table|nil err
function M.find(config)
  local found = {}
  for _, folder in ipairs(folders(config)) do
    if fs.exists(folder.dir) then
      local list, err = fs.list(folder.dir)
      if not list then return nil, err end
      for _, name in ipairs(list) do
        local dir = folder.dir .. "/" .. name
        if fs.exists(dir .. "/manifest.json") then
          found[name] = { dir = dir, origin = folder.origin }
        end
      end
    end
  end
  for name, dir in pairs(config.plugin_folders or {}) do
    found[name] = { dir = dir, origin = "home" }
  end
  return found
end

---The folders of a generation: nothing is looked for on the disk.
---@param generation parley.Generation
---@return table<string, parley.PluginPlace> found
function M.kept(generation)
  local found = {}
  for _, p in ipairs(generation.plugins) do
    if p.place then found[p.name] = p.place end
  end
  return found
end

---Adds those that were deployed and lie in no folder.
---@param found table<string, parley.PluginPlace>
---@param config table parley.config
---@param pins table<string, parley.Pin>
function M.add_pinned(found, config, pins)
  for name, pin in pairs(pins) do
    if not found[name] then
      found[name] = {
        dir = ("%s/data/bundles/%s/%s"):format(config.home, name, pin.hash), origin = "bundle",
        pinned = true,
      }
    end
  end
  for name, place in pairs(found) do
    if place.pinned and not pins[name] then found[name] = nil end
  end
end

return M
