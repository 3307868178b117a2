-- Lengths and places as the Bot API counts them: in UTF-16 code units (Bot API, MessageEntity).

local utf8 = require "parley.util.utf8"

local M = {}

---@param text string UTF-8
---@return integer units
function M.length(text)
  local codes, n = utf8.codes(text)
  local units = n
  for i = 1, n do
    if codes[i] > 0xFFFF then units = units + 1 end
  end
  return units
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
