-- Lanes: one turn at a time per dialog, in the order of arrival; dialogs in parallel.

local task = require "host.task"

local M = {}
M.__index = M

---@param max integer turns that may wait in one lane
function M.new(max)
  return setmetatable({ max = max, lanes = {}, waiting = 0 }, M)
end

local function closed()
  return nil, {
    code = "unavailable", retryable = true, op = "lane",
    message = "an earlier message of this dialog is not stored yet",
  }
end

---Enters the lane of a dialog, waiting for those before.
---@param key string
---@param timeout_s number
---@param durable boolean|nil what comes was acknowledged: it is never too much
---@return boolean|nil entered
---@return table|nil err "busy" when too many wait, "timeout", "unavailable" when nobody may wait
function M:enter(key, timeout_s, durable)
  local lane = self.lanes[key]
  if not lane then
    self.lanes[key] = { waiting = 0 }
    return true
  end
  if lane.closed then return closed() end
  if lane.waiting >= self.max and not durable then
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
  if lane.closed then return closed() end
  return true -- the lane was handed over, never free in between
end

---Who has the lane keeps it for longer than anybody should wait: those who do are sent away, and
---nobody else may, until it is left.
function M:shut(key)
  local lane = self.lanes[key]
  lane.closed = true
  if lane.free then lane.free:broadcast() end
end

---Whether a turn is under way.
---@param key string|nil of this dialog, default: of any
function M:busy(key)
  if key then return self.lanes[key] ~= nil end
  return next(self.lanes) ~= nil
end

---Leaves the lane: the next one has it.
function M:leave(key)
  local lane = self.lanes[key]
  if lane.waiting == 0 or lane.free:signal() == 0 then self.lanes[key] = nil end
end

return M
