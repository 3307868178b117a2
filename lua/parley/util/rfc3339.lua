-- RFC 3339 times to milliseconds since the epoch; the other way is host.time.rfc3339.

local M = {}

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_leap(y) return y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0) end

-- Days from 1970-01-01, in the calendar of Gregory.
local function days(y, m, d)
  local before = y - 1
  local total = before * 365 + math.floor(before / 4) - math.floor(before / 100)
    + math.floor(before / 400) - 719162
  for i = 1, m - 1 do total = total + DAYS[i] + (i == 2 and is_leap(y) and 1 or 0) end
  return total + d - 1
end

local function offset(zone)
  if zone == "Z" or zone == "z" then return 0 end
  local sign, h, m = zone:match "^([+-])(%d%d):(%d%d)$"
  if not sign or tonumber(h) > 23 or tonumber(m) > 59 then return nil end
  return (sign == "+" and 1 or -1) * (h * 60 + m) * 60
end

---@param text string "2026-11-21T08:00:00.123Z", "2026-11-21T10:00:00+02:00"
---@return integer|nil ms nil when the text is none, or is before 1970
function M.parse(text)
  local y, m, d, hour, min, sec, fraction, zone =
    text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt](%d%d):(%d%d):(%d%d)(%.?%d*)(.+)$"
  local shift = zone and offset(zone)
  if not shift or not (fraction == "" or fraction:find "^%.%d") then return nil end
  y, m, d, hour, min, sec = y + 0, m + 0, d + 0, hour + 0, min + 0, sec + 0
  if m < 1 or m > 12 or hour > 23 or min > 59 or sec > 60 then return nil end
  if d < 1 or d > DAYS[m] + (m == 2 and is_leap(y) and 1 or 0) then return nil end
  local seconds = ((days(y, m, d) * 24 + hour) * 60 + min) * 60 + sec - shift
  if sec == 60 and seconds % 86400 ~= 0 then return nil end -- a leap second ends a day of UTC
  local ms = seconds * 1000 + math.floor((tonumber("0" .. fraction) or 0) * 1000)
  return ms >= 0 and ms or nil
end

return M
