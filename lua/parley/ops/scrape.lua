-- The metrics of the whole host, whichever worker is asked.
--
-- Each worker publishes its own every second on the board that all of them share (host.worker); who
-- is asked reads the board. A worker that hangs or has died is so still counted, and its successor
-- goes on from what it finds in its place: totals do not go backwards when a worker is replaced.

local json = require "host.json"
local log = require "parley.ops.log"
local merge = require "parley.ops.merge"
local task = require "host.task"
local time = require "host.time"
local worker = require "host.worker"

local M = {}
M.__index = M

local EVERY_S = 1
local STALE_S = 5 -- what was said longer ago is no longer so: its totals count, its gauges do not
local NODES_MAX = 1e6 -- more than fit into what one worker may publish

local function published(index)
  local text = worker.published(index)
  return text and assert(json.decode(text, { max_nodes = NODES_MAX }))
end

---@param registry parley.metrics.Registry of this process
function M.new(registry)
  return setmetatable({ registry = registry, before = {} }, M)
end

-- This process and those that had its place before it.
local function own(self) return merge.all { self.registry:snapshot(), self.before } end

---Makes what this process has counted known to the others now.
---@return parley.metrics.Snapshot[] what it has said
function M:publish()
  local snapshot = own(self)
  local text, err = json.encode { at = time.mono(), families = snapshot }
  local ok
  if text then ok, err = worker.publish(text) end
  if not ok and not self.told then
    self.told = true
    log.write("error", "the metrics of this worker cannot be published", { error = err.message })
  end
  return snapshot
end

---Takes over the totals of the worker that had this place before, and publishes from now on.
---@return boolean successor whether there was one
function M:begin()
  local last = published(worker.index)
  if last then self.before = merge.totals(last.families) end
  self:publish()
  task.spawn(function()
    while true do
      task.sleep(EVERY_S)
      self:publish()
    end
  end)
  return last ~= nil
end

---The metrics of all workers together; of this process alone when no supervisor has started it.
---@return parley.metrics.Snapshot[]
function M:snapshot()
  if not worker.index then return self.registry:snapshot() end
  local all = {}
  for i = 0, worker.count - 1 do
    local other = i ~= worker.index and published(i)
    if i == worker.index then
      -- What was shown once must not be lost with this process.
      all[#all + 1] = self:publish()
    elseif other then
      local stale = time.mono() - other.at > STALE_S
      all[#all + 1] = stale and merge.totals(other.families) or other.families
    end
  end
  return merge.all(all)
end

return M
