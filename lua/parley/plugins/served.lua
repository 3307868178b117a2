-- What is in service is kept: its bundles in the store of this instance, its hashes in the
-- database, and all of it for a worker that takes the place of one. Beside the turns, which have it
-- already; a host that goes down before that has lost nothing but a version to go back to.

local bundles = require "parley.plugins.bundles"
local last = require "parley.plugins.last"
local task = require "host.task"
local versions = require "parley.plugins.versions"

local M = {}
M.__index = M

local RETRY_S = 60 -- when a bundle could not be kept
local WAIT_S = 30  -- for somebody else who is just keeping what serves
local QUEUE = 100  -- generations that came and went while the disk was busy

---@param core {db: table, manager: table, config: table}
---@param log function
function M.new(core, log)
  return setmetatable({
    core = core, log = log, kept = {}, queue = {}, changed = task.cond(), free = task.cond(),
  }, M)
end

-- The hashes that the generations alive serve with, and those that are pinned.
local function held(self, name)
  local out = {}
  for _, g in pairs(self.core.manager.alive) do
    local plugin = g.chooser.by_name[name]
    if plugin then out[plugin.hash] = true end
    if plugin and plugin.canary then out[plugin.canary.plugin.hash] = true end
    if g.pins[name] then out[g.pins[name].hash] = true end
  end
  return out
end

local function keep(self, plugin, since_ms, statements)
  local home = self.core.config.home
  if not plugin.pinned then
    local ok, err = bundles.put(home, plugin.bundle)
    if not ok then return nil, err end
    if not plugin.pin_problem then versions.note(statements, plugin, since_ms) end
  end
  self.kept[plugin.name] = plugin.hash
  return bundles.prune(home, plugin.name, self.core.config.bundles_kept, held(self, plugin.name))
end

-- Keeps what one generation serves with, as far as that has not been done.
local function record(self, generation)
  if generation.config.database_scratch then return true end
  local statements, failed = {}, nil
  for _, plugin in ipairs(generation.plugins) do
    if plugin.bundle and self.kept[plugin.name] ~= plugin.hash then
      local ok, err = keep(self, plugin, generation.since_ms, statements)
      if not ok then
        self.log("error", "a bundle could not be kept: nobody can go back to it",
          { plugin = plugin.name, bundle = plugin.hash:sub(1, 12), error = err.message })
        failed = failed or err
      end
    end
  end
  if #statements == 0 then return failed == nil, failed end
  local ok, err = self.core.db:commit(statements)
  if not ok then
    self.kept = {}
    self.log("error", "what serves could not be noted", { error = err.message })
  end
  return ok and failed == nil, err or failed
end

-- For a worker that takes the place of one of this host.
local function note(self, generation)
  if generation.config.database_scratch or generation ~= self.core.manager.current then return end
  local text = last.text(generation)
  if text == self.noted then return end
  local ok, err = last.write(generation.config.home, text)
  self.noted = ok and text or nil
  if ok then return end
  self.log("error", "what serves could not be kept for a worker that takes this one's place",
    { error = err.message })
end

-- Every generation in the order in which they came into service, however short one has served.
local function record_all(self)
  local ok, err
  repeat
    local generation = table.remove(self.queue, 1) or self.core.manager.current
    ok, err = record(self, generation)
    if ok then note(self, generation) end
  until #self.queue == 0
  return ok, err
end

---Keeps what has come into service until now. It waits.
---@return boolean|nil ok
---@return table|nil err it is logged, and tried again later
function M:record()
  while self.busy do
    local ok, err = self.free:wait(WAIT_S)
    if not ok then return nil, err end
  end
  self.busy = true
  local good, ok, err = pcall(record_all, self)
  self.busy = false
  self.free:broadcast()
  if not good then error(ok, 0) end
  return ok, err
end

---A generation has come into service. Of a host that goes with its process nothing is kept.
---@param generation parley.Generation
function M:add(generation)
  if generation.config.database_scratch then return end
  self.queue[#self.queue + 1] = generation
  if #self.queue > QUEUE then table.remove(self.queue, 1) end
  self.changed:signal()
end

---Keeps what comes into service, until the task is cancelled.
function M:run()
  while true do
    self:record()
    if #self.queue == 0 then self.changed:wait(RETRY_S) end
  end
end

return M
