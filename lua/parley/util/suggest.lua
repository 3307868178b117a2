-- "Did you mean ...?": the known name nearest to a mistyped one.

local M = {}

-- Edit distance with transpositions counted as one (Damerau, restricted), given up above `most`.
local function distance(a, b, most)
  if math.abs(#a - #b) > most then return most + 1 end
  local before, last, row = {}, {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local d = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        d = math.min(d, before[j - 2] + 1)
      end
      row[j] = d
    end
    before, last = last, row
  end
  return row[#b] or #b
end

---The nearest of `names` (a list, or a table keyed by name), nil when none is near.
---@param word string
---@param names table
---@return string|nil
function M.nearest(word, names)
  local most = #word <= 4 and 1 or 2
  local best, best_d
  local function try(name)
    if type(name) ~= "string" then return end
    local d = distance(word:lower(), name:lower(), most)
    if d <= most and (not best or d < best_d or (d == best_d and name < best)) then
      best, best_d = name, d
    end
  end
  for k, v in pairs(names) do try(type(k) == "string" and k or v) end
  return best
end

---" Did you mean 'x'?" or "".
function M.hint(word, names)
  local name = M.nearest(word, names)
  return name and (" Did you mean '%s'?"):format(name) or ""
end

return M
