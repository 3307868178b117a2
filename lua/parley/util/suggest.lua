-- "Did you mean ...?": the known name nearest to a mistyped one.

local distance = require "parley.util.edit_distance"

local M = {}

local function bytes(s) return { s:byte(1, -1) } end

---The nearest of `names` (a list, or a table keyed by name), nil when none is near.
---@param word string
---@param names table
---@return string|nil
function M.nearest(word, names)
  if #word > 64 then return nil end
  local most = #word <= 4 and 1 or 2
  local letters = bytes(word:lower())
  local best, best_d
  local function try(name)
    if type(name) ~= "string" then return end
    local d = distance(letters, #word, bytes(name:lower()), #name, most)
    if d and (not best or d < best_d or (d == best_d and name < best)) then
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
