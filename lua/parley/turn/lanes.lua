-- Lanes: one turn at a time per dialog, in the order of arrival; dialogs in parallel.

local task = require "host.task"

local M = {}
M.__index = M

---@param max integer turns that may wait in one lane
function M.new(max)
  return setmetatable({ max = max, lanes = {}, waiting = 0 }, M)
end

---Enters the lane of a dialog, waiting for those before.
---@param key string
---@param timeout_s number
---@return boolean|nil entered
---@return table|nil err "busy" when too many wait, "timeout"
function M:enter(key, timeout_s)
  local lane = self.lanes[key]
  if not lane then
    self.lanes[key] = { waiting = 0 }
    return true
  end
  if lane.waiting >= self.max then
    return nil, {
      code = "busy", retryable = true, op = "lane",
      message = ("%d messages of this dialog wait already"):format(lane.waiting),
    }
  end
  lane.free = lane.free or task.cond()
  lane.waiting, self.waiting = lane.waiting + 1, self.waiting + 1
  local ok, err = lane.free:wait(timeout_s)
  lane.waiting, self.waiting = lane.waiting - 1, self.waiting - 1
  if not ok then return nil, err end
  return true -- the lane was handed over, never free in between
end

---Whether a turn is under way.
function M:busy() return next(self.lanes) ~= nil end

---Leaves the lane: the next one has it.
function M:leave(key)
  local lane = self.lanes[key]
  if lane.waiting == 0 or lane.free:signal() == 0 then self.lanes[key] = nil end
end

return M
