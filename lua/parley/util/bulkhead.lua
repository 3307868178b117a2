-- A bulkhead: so many may be inside at a time, the others wait in the order in which they came.

local task = require "host.task"

local M = {}
M.__index = M

---@param max integer
function M.new(max)
  return setmetatable({ max = max, inside = 0, waiting = 0, free = task.cond() }, M)
end

---Enters, waiting for a place. Whoever has entered must leave.
---@param seconds number to wait at most
---@return boolean|nil entered
---@return table|nil err "timeout"
function M:enter(seconds)
  if self.inside < self.max then
    self.inside = self.inside + 1
    return true
  end
  self.waiting = self.waiting + 1
  local ok, err = self.free:wait(seconds)
  self.waiting = self.waiting - 1
  if not ok then return nil, err end
  return true -- the place was handed over, never free in between
end

function M:leave()
  if self.waiting == 0 or self.free:signal() == 0 then self.inside = self.inside - 1 end
end

return M
