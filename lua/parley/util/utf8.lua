-- UTF-8 as the core needs it: code points out of text. Text from outside has been checked when it
-- came in; a broken sequence here is skipped as U+FFFD, never an error.

local bit = require "bit"

local byte, char = string.byte, string.char
local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift

local M = {}

local REPLACEMENT = 0xFFFD

--- Decodes the code point that begins at byte `i`.
---@param s string
---@param i integer
---@return integer code U+FFFD for a broken sequence
---@return integer next the byte after it
local function decode(s, i)
  local a = byte(s, i)
  if a < 0x80 then return a, i + 1 end
  local b, c, d = byte(s, i + 1, i + 3)
  if a < 0xC2 or not b or b < 0x80 or b > 0xBF then return REPLACEMENT, i + 1 end
  if a < 0xE0 then return bor(lshift(band(a, 0x1F), 6), band(b, 0x3F)), i + 2 end
  if not c or c < 0x80 or c > 0xBF then return REPLACEMENT, i + 1 end
  if a < 0xF0 then
    return bor(lshift(band(a, 0x0F), 12), lshift(band(b, 0x3F), 6), band(c, 0x3F)), i + 3
  end
  if a > 0xF4 or not d or d < 0x80 or d > 0xBF then return REPLACEMENT, i + 1 end
  return bor(lshift(band(a, 0x07), 18), lshift(band(b, 0x3F), 12), lshift(band(c, 0x3F), 6),
    band(d, 0x3F)), i + 4
end
M.decode = decode

--- The text of one code point.
---@param code integer
---@return string
function M.char(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(bor(0xC0, rshift(code, 6)), bor(0x80, band(code, 0x3F))) end
  if code < 0x10000 then
    return char(bor(0xE0, rshift(code, 12)), bor(0x80, band(rshift(code, 6), 0x3F)),
      bor(0x80, band(code, 0x3F)))
  end
  return char(bor(0xF0, rshift(code, 18)), bor(0x80, band(rshift(code, 12), 0x3F)),
    bor(0x80, band(rshift(code, 6), 0x3F)), bor(0x80, band(code, 0x3F)))
end

--- The code points of a text.
---@param s string
---@param out? integer[] filled and returned instead of a new table; what lies beyond n is stale
---@return integer[] codes
---@return integer n
function M.codes(s, out)
  out = out or {}
  local i, n, len = 1, 0, #s
  while i <= len do
    local code
    code, i = decode(s, i)
    n = n + 1
    out[n] = code
  end
  return out, n
end

--- The beginning of a text that is too long, with "..." behind it; no character is cut in two.
---@param s string
---@param max integer bytes, the dots not counted
---@return string
function M.clip(s, max)
  if #s <= max then return s end
  return (s:sub(1, max):gsub("[\192-\255][\128-\191]*$", "")) .. "..."
end

return M
