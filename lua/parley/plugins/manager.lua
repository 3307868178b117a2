-- The plugin manager: generations of plugins. A generation is built whole beside the one that
-- serves,
-- and takes its place in one assignment; turns finish on the one they began with.

local bundle = require "parley.plugins.bundle"
local choose = require "parley.plugins.choose"
local fs = require "host.fs"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local nlu = require "parley.nlu.mock"

local M = {}
M.__index = M

function M.new(config)
  return setmetatable({ config = config, number = 0, current = nil, alive = {} }, M)
end

local function folders(config)
  return { fs.data_dir() .. "/plugins", config.home .. "/plugins" }
end

-- A plugin of the home takes the place of the one of the same name that ships.
local function find(config)
  local found, names = {}, {}
  for _, dir in ipairs(folders(config)) do
    if fs.exists(dir) then
      local list, err = fs.list(dir)
      if not list then return nil, err end
      for _, name in ipairs(list) do
        if fs.exists(dir .. "/" .. name .. "/manifest.json") then
          if not found[name] then names[#names + 1] = name end
          found[name] = dir .. "/" .. name
        end
      end
    end
  end
  table.sort(names)
  return found, names
end

-- What the plugins are together: no two with one command, no cycle of before/after, a fallback.
local function compile(self, plugins)
  local problems = manifest.check_together(plugins)
  if #problems > 0 then
    return nil, {
      code = "plugin", retryable = false, op = "plugins", message = manifest.describe(problems),
    }
  end
  local chooser, err = choose.compile(plugins)
  if not chooser then return nil, err end
  if not chooser.by_name[self.config.fallback_plugin] then
    return nil, {
      code = "config", retryable = false, op = "plugins",
      message = "fallback_plugin: there is no plugin '" .. self.config.fallback_plugin .. "'",
    }
  end
  return chooser
end

---Builds the next generation without touching the one that serves.
---@return table|nil generation
---@return table|nil err names file and line of what is wrong
function M:build()
  local found, names = find(self.config)
  if not found then return nil, names end
  local plugins = {}
  for i, name in ipairs(names) do
    local b, err = bundle.read(found[name])
    if not b then return nil, err end
    local settings = self.config.plugins[name] or {}
    local driver
    driver, err = lua_driver.new(b.manifest, b.files)
    if not driver then
      err.message = ("%s: %s"):format(found[name], err.message)
      return nil, err
    end
    plugins[i] = {
      name = name, file = found[name] .. "/manifest.json", manifest = b.manifest, hash = b.hash,
      driver = driver, config = settings,
      state = settings.enabled == false and "disabled" or "active",
    }
  end
  local chooser, err = compile(self, plugins)
  if not chooser then return nil, err end
  return {
    plugins = plugins, chooser = chooser, intents = nlu.build(chooser:intent_examples()), refs = 0,
  }
end

local function free(self, g)
  for _, p in ipairs(g.plugins) do p.driver:close() end
  self.alive[g.number] = nil
end

---Puts a generation in service; the one before goes when its last turn has finished.
function M:swap(generation)
  self.number = self.number + 1
  generation.number = self.number
  self.alive[generation.number] = generation
  local old = self.current
  self.current = generation
  if old and old.refs == 0 then free(self, old) end
end

---@return table generation hold it for a turn, then release it
function M:hold()
  local g = self.current
  g.refs = g.refs + 1
  return g
end

function M:release(g)
  g.refs = g.refs - 1
  if g.refs == 0 and g ~= self.current then free(self, g) end
end

---Build and swap; on failure the old one stays.
function M:reload()
  local g, err = self:build()
  if not g then return nil, err end
  self:swap(g)
  return g
end

return M
