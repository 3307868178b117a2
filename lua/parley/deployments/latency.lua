-- How long calls took, as counts in classes that each reach a fifth further than the one before:
-- small to write down, and to be added up over workers.

local M = {}

local STEPS = 4       -- classes for each doubling
local LEAST_MS = 0.1  -- what is quicker falls into the first class
local LAST = 80       -- 0.1 ms * 2^20: nearly two minutes; what is longer falls into it

---@param ms number
---@return integer class 0 to 80
function M.class(ms)
  if ms <= LEAST_MS then return 0 end
  return math.min(math.ceil(STEPS * math.log(ms / LEAST_MS) / math.log(2) - 1e-9), LAST)
end

---@param class integer
---@return number milliseconds up to which it reaches
function M.bound(class) return LEAST_MS * 2 ^ (class / STEPS) end

---@param counts table<integer, integer> by class
---@param q number 0 to 1
---@return number|nil milliseconds that the share q of the calls did not exceed, rounded up to the
---  bound of a class; nil: there were none
function M.quantile(counts, q)
  local total = 0
  for _, n in pairs(counts) do total = total + n end
  if total == 0 then return nil end
  local seen = 0
  for class = 0, LAST do
    seen = seen + (counts[class] or 0)
    if seen >= q * total then return M.bound(class) end
  end
end

---@param counts table<integer, integer>
---@param ms number
---@return integer calls of a higher class than this time
function M.above(counts, ms)
  local limit, n = M.class(ms), 0
  for class, count in pairs(counts) do
    if class > limit then n = n + count end
  end
  return n
end

return M
