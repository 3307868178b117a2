-- A list that is written at its end and read at its front, each in constant time.

local M = {}
M.__index = M

---@class parley.Fifo
---@return parley.Fifo
function M.new() return setmetatable({ first = 1, last = 0 }, M) end

function M:push(value)
  self.last = self.last + 1
  self[self.last] = value
end

---Takes the first.
---@return any value nil: it is empty
function M:shift()
  local value = self[self.first]
  if value == nil then return nil end
  self[self.first] = nil
  self.first = self.first + 1
  return value
end

---@return any value the first, which stays; nil: it is empty
function M:peek() return self[self.first] end

---@return integer
function M:size() return self.last - self.first + 1 end

return M
