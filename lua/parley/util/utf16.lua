-- Lengths and places as the Bot API counts them: in UTF-16 code units (Bot API, MessageEntity).

local utf8 = require "parley.util.utf8"

local byte, find = string.byte, string.find

local M = {}

---Counted byte by byte: a character begins with each byte that does not continue one, and those of
---four bytes have two units.
---@param text string UTF-8
---@param from integer|nil first byte, default 1
---@param to integer|nil last byte, default that of the text
---@return integer units
function M.length(text, from, to)
  from, to = from or 1, to or #text
  local n = to - from + 1
  if n <= 0 then return 0 end
  if not find(text, "[\128-\255]", from) then return n end
  n = 0
  for i = from, to do
    local b = byte(text, i)
    if b < 0x80 or b >= 0xC0 then n = n + (b >= 0xF0 and 2 or 1) end
  end
  return n
end

---The part of a text.
---@param text string UTF-8
---@param offset integer units before it
---@param length integer units
---@return string|nil part nil when it begins or ends inside a character, or outside the text
function M.part(text, offset, length)
  local codes, n = utf8.codes(text)
  local out, at = {}, 0
  local last = offset + length
  for i = 1, n do
    local units = codes[i] > 0xFFFF and 2 or 1
    if at < offset and at + units > offset then return nil end
    if at < last and at + units > last then return nil end
    if at >= offset and at < last then out[#out + 1] = utf8.char(codes[i]) end
    at = at + units
  end
  if offset < 0 or length < 0 or last > at then return nil end
  return table.concat(out)
end

return M
