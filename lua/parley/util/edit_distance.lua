-- How many single mistakes (a letter more, less, other, or two swapped) lie between two words.

local min = math.min

-- Three rows of the table, reused: nothing here waits, so that no two calls overlap.
local before, last, row = {}, {}, {}

--- Optimal string alignment distance, up to a limit.
---@param a integer[] code points or bytes
---@param n integer how many of them
---@param b integer[]
---@param m integer
---@param limit integer
---@return integer? distance nil when it is greater than `limit`
return function(a, n, b, m, limit)
  if n - m > limit or m - n > limit then return nil end
  for j = 0, m do last[j] = j end
  for i = 1, n do
    row[0] = i
    local best = i
    local ai = a[i]
    for j = 1, m do
      local bj = b[j]
      local d
      if ai == bj then
        d = last[j - 1]
      else
        d = min(last[j - 1], last[j], row[j - 1]) + 1
      end
      if i > 1 and j > 1 and ai == b[j - 1] and a[i - 1] == bj and before[j - 2] + 1 < d then
        d = before[j - 2] + 1
      end
      row[j] = d
      if d < best then best = d end
    end
    if best > limit then return nil end
    before, last, row = last, row, before
  end
  local d = last[m]
  if d > limit then return nil end
  return d
end
