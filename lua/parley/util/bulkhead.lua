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

---Does something inside.
---@param seconds number to wait at most
---@param f function
---@return any ... of f; nil and err "timeout" when there was no place
function M:within(seconds, f, ...)
  local ok, err = self:enter(seconds)
  if not ok then return nil, err end
  local good, a, b = pcall(f, ...)
  self:leave()
  if not good then error(a, 0) end
  return a, b
end

function M:leave()
  if self.waiting == 0 or self.free:signal() == 0 then self.inside = self.inside - 1 end
end

return M
