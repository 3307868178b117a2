-- Chance that can be had again: the same seed and number give the same choices, whatever was drawn
-- for other numbers. (xorshift32: it has to be quick and the same everywhere, no more.)

local bit = require "bit"

local M = {}
M.__index = M

local function step(x)
  x = bit.bxor(x, bit.lshift(x, 13))
  x = bit.bxor(x, bit.rshift(x, 17))
  return bit.bxor(x, bit.lshift(x, 5))
end

---@param seed integer
---@param number integer|nil which of the inputs of this seed
---@return fuzz.Chance
function M.new(seed, number)
  local x = bit.bxor(bit.tobit(seed * 2654435), bit.tobit((number or 0) * 40503 + 2463534242))
  local self = setmetatable({ x = x == 0 and 1 or x }, M)
  for _ = 1, 8 do self.x = step(self.x) end -- neighbouring seeds begin alike
  return self
end

---A whole number from low to high.
function M:int(low, high)
  self.x = step(self.x)
  return low + bit.rshift(self.x, 1) % (high - low + 1)
end

---True once in `n` times.
function M:one_in(n) return self:int(1, n) == 1 end

---@generic T
---@param list T[]
---@return T
function M:one_of(list) return list[self:int(1, #list)] end

---One of a list of {weight, value}.
---@param list {[1]: integer, [2]: any}[]
function M:weighted(list)
  if not list.total then
    local total = 0
    for _, item in ipairs(list) do total = total + item[1] end
    list.total = total
  end
  local at = self:int(1, list.total)
  for _, item in ipairs(list) do
    at = at - item[1]
    if at <= 0 then return item[2] end
  end
end

---Any bytes.
---@param most integer
function M:bytes(most)
  local out = {}
  for i = 1, self:int(0, most) do out[i] = string.char(self:int(0, 255)) end
  return table.concat(out)
end

return M
