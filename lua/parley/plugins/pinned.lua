-- Code of plugins that serves no more, but for conversations that have begun with it: built from
-- the store of bundles when one of them goes on, closed when others were needed since.

local bundles = require "parley.plugins.bundles"
local log = require "parley.ops.log"
local lua_driver = require "parley.plugins.lua_driver"
local task = require "host.task"
local time = require "host.time"

---@class parley.Pinned
local M = {}
M.__index = M

local MAX = 16
local BUILD_S = 10
local MISSING_S = 60 -- a bundle that is not there is not looked for again so soon

---@param home string
---@return parley.Pinned
function M.new(home)
  return setmetatable({ home = home, drivers = {}, order = {}, building = {}, missing = {} }, M)
end

local function build(self, plugin, hash)
  local b, err = bundles.read(self.home, plugin.name, hash)
  if not b then return nil, err end
  return lua_driver.new(b.manifest, b.files, { ring = plugin.ring })
end

-- Takes it in; what was not used for the longest goes.
local function add(self, key, driver)
  self.drivers[key] = driver
  self.order[#self.order + 1] = key
  if #self.order <= MAX then return end
  local oldest = table.remove(self.order, 1)
  self.drivers[oldest]:close()
  self.drivers[oldest] = nil
end

local function touch(self, key)
  for i, other in ipairs(self.order) do
    if other == key then table.remove(self.order, i) break end
  end
  self.order[#self.order + 1] = key
end

-- Those who come while it is built wait for the same one.
local function built(self, key, plugin, hash)
  local going_on = self.building[key]
  if not going_on then
    going_on = task.spawn(function()
      local good, driver, err = pcall(build, self, plugin, hash)
      self.building[key] = nil
      if not good then driver, err = nil, { code = "exception", message = tostring(driver) } end
      if driver then add(self, key, driver) end
      return driver, err
    end)
    self.building[key] = going_on
  end
  local done, driver, err = going_on:join(BUILD_S)
  if done then return driver, err end
  return nil, driver
end

---The driver of a version that is not the one that serves. It waits.
---@param plugin parley.Plugin as it serves: its ring is the operator's choice of now
---@param hash string of the bundle
---@return table|nil driver
---@return table|nil err that was logged
function M:get(plugin, hash)
  local key = ("%s/%s/%s"):format(plugin.name, hash, plugin.ring)
  if self.drivers[key] then
    touch(self, key)
    return self.drivers[key]
  end
  local missing = self.missing[key]
  if missing and time.mono() - missing.at < MISSING_S then return nil, missing.err end
  local driver, err = built(self, key, plugin, hash)
  if driver then return driver end
  log.write("warn", "a conversation goes on with other code than it has begun with", {
    plugin = plugin.name, bundle = hash:sub(1, 12), error = err.message,
  })
  self.missing = { [key] = { at = time.mono(), err = err } } -- one is enough against a storm
  return nil, err
end

---Calls under way finish first.
function M:close()
  for _, key in ipairs(self.order) do self.drivers[key]:close() end
  self.drivers, self.order = {}, {}
end

return M
