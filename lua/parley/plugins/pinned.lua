-- Code of plugins that serves no more, but for conversations that have begun with it: built from
-- the store of bundles when one of them goes on, closed when others were needed since. A version
-- that was taken back - by its own errors, or by an operator - is not built any more.

local copies = require "parley.deployments.copies"
local log = require "parley.ops.log"
local lua_driver = require "parley.plugins.lua_driver"
local past = require "parley.plugins.past"
local ring = require "parley.plugins.ring"
local task = require "host.task"
local time = require "host.time"

---@class parley.Pinned
local M = {}
M.__index = M

local MAX = 16
local PASTS = 256 -- versions asked for: a plugin can make up hashes in its sessions
local FRESH_S = 30
local BUILD_S = 10
local MISSING_S = 60 -- a bundle that is not there is not looked for again so soon

---@param core {db: table, config: table, manager: table}
---@return parley.Pinned
function M.new(core)
  return setmetatable({
    core = core, drivers = {}, order = {}, building = {}, missing = {}, pasts = {}, known = 0,
  }, M)
end

-- What is not to run again is not run by this worker's cache either.
local function drop(self, key)
  local driver = self.drivers[key]
  if not driver then return end
  self.drivers[key] = nil
  for i, other in ipairs(self.order) do
    if other == key then table.remove(self.order, i) break end
  end
  driver:close()
end

-- Adds why a worker does not load it again, which is known before anybody has written it down.
local function judge(self, plugin, hash)
  local p, err = past.of(self.core.db, plugin.name, hash)
  if not p then return nil, err end
  local guilty = self.core.manager.spared[copies.label(plugin.name, hash)]
  if guilty and not p.taken_back then p.taken_back = guilty.message end
  local settings = plugin.settings or {}
  p.ring = ring.of(p.origin, self.core.config, settings.ring)
  if p.taken_back then
    log.write("warn", "conversations go on with other code than they have begun with, or end", {
      plugin = plugin.name, bundle = hash:sub(1, 12), reason = p.taken_back,
    })
  end
  return p
end

-- It is asked for once in each generation, which whoever takes a version back brings about; what
-- another worker has taken back because it was brought down by it, is known a little later.
local function past_of(self, plugin, hash)
  local number, now = self.core.manager.number, time.mono()
  if self.number ~= number or self.known == PASTS or now - self.since > FRESH_S then
    self.number, self.pasts, self.known, self.since = number, {}, 0, now
  end
  local key = plugin.name .. "/" .. hash
  if self.pasts[key] then return self.pasts[key] end
  local p, err = judge(self, plugin, hash)
  if not p then return nil, err end
  if self.number == number and not self.pasts[key] then
    self.pasts[key], self.known = p, self.known + 1
  end
  return p
end

local function build(self, plugin, hash, in_ring)
  local b, err = copies.fetch(self.core, plugin.name, hash)
  if not b then return nil, err end
  -- A name of its own: a version that brings the worker down is not taken for the one that serves.
  b.manifest.label = copies.label(plugin.name, hash)
  return lua_driver.new(b.manifest, b.files, { ring = in_ring })
end

-- Takes it in; what was not used for the longest goes.
local function add(self, key, driver)
  self.drivers[key] = driver
  self.order[#self.order + 1] = key
  if #self.order > MAX then drop(self, self.order[1]) end
end

local function touch(self, key)
  for i, other in ipairs(self.order) do
    if other == key then table.remove(self.order, i) break end
  end
  self.order[#self.order + 1] = key
end

-- Those who come while it is built wait for the same one.
local function built(self, key, ...)
  local going_on = self.building[key]
  if not going_on then
    going_on = task.spawn(function(...)
      local good, driver, err = pcall(build, self, ...)
      self.building[key] = nil
      if not good then driver, err = nil, { code = "exception", message = tostring(driver) } end
      if driver then add(self, key, driver) end
      return driver, err
    end, ...)
    self.building[key] = going_on
  end
  local done, driver, err = going_on:join(BUILD_S)
  if done then return driver, err end
  return nil, driver
end

---The driver of a version that is not the one that serves. It waits.
---@param plugin parley.Plugin as it serves: what its permissions are, and its ring when the
---  operator has chosen that, are of now
---@param hash string of the bundle
---@return table|nil driver
---@return table|nil err that was logged: `taken_back`, or it cannot be had; retryable: the database
---  could not be asked
function M:get(plugin, hash)
  local p, err = past_of(self, plugin, hash)
  if not p then return nil, err end
  local key = ("%s/%s/%s"):format(plugin.name, hash, p.ring)
  if p.taken_back then
    drop(self, key)
    return nil, { code = "taken_back", message = p.taken_back, retryable = false, op = "pinned" }
  end
  if self.drivers[key] then
    touch(self, key)
    return self.drivers[key]
  end
  local missing = self.missing[key]
  if missing and time.mono() - missing.at < MISSING_S then return nil, missing.err end
  local driver
  driver, err = built(self, key, plugin, hash, p.ring)
  if driver then return driver end
  log.write("warn", "a conversation goes on with other code than it has begun with", {
    plugin = plugin.name, bundle = hash:sub(1, 12), reason = err.message,
  })
  err.retryable = false
  self.missing = { [key] = { at = time.mono(), err = err } } -- one is enough against a storm
  return nil, err
end

---Calls under way finish first.
function M:close()
  for _, key in ipairs(self.order) do self.drivers[key]:close() end
  self.drivers, self.order = {}, {}
end

return M
