-- Times as people write them: 90s, 10m, 2h, 1d.

local M = {}

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

---@param text string
---@return number|nil seconds
---@return string|nil problem
function M.check(text)
  local number, unit = text:match "^(%d+%.?%d*)([smhd])$"
  local seconds = number and tonumber(number) * UNITS[unit]
  if seconds and seconds >= 1 and seconds <= 30 * UNITS.d then return seconds end
  return nil, ("1s to 30d expected, such as 90s, 10m or 2h, got '%s'"):format(text)
end

---@param seconds number
---@return string text in the largest unit that leaves nothing over
function M.text(seconds)
  for _, unit in ipairs { "d", "h", "m" } do
    if seconds >= UNITS[unit] and seconds % UNITS[unit] == 0 then
      return ("%d%s"):format(seconds / UNITS[unit], unit)
    end
  end
  return ("%gs"):format(seconds)
end

return M
