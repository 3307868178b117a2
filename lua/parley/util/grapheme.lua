-- Where a text may be cut without tearing what a reader sees as one character (UAX 29, the part of
-- it that matters for cutting: marks that combine, emoji of several code points, flags).

local utf8 = require "parley.util.utf8"

local M = {}

local LONGEST = 64 -- code points of one character that are looked at: stacked marks have no end

local JOINER = 0x200D

-- First and last of what belongs to the character before it.
local EXTENDS = {
  { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x05BF, 0x05C7 },
  { 0x0610, 0x061A }, { 0x064B, 0x065F }, { 0x0670, 0x0670 }, { 0x06D6, 0x06DC },
  { 0x06DF, 0x06E4 }, { 0x0900, 0x0903 }, { 0x093A, 0x093C }, { 0x093E, 0x094F },
  { 0x0962, 0x0963 }, { 0x0981, 0x0983 }, { 0x09BC, 0x09CD }, { 0x0A01, 0x0A03 },
  { 0x0A3C, 0x0A4D }, { 0x0A81, 0x0A83 }, { 0x0ABC, 0x0ACD }, { 0x0B82, 0x0BCD },
  { 0x0C00, 0x0C04 }, { 0x0C3E, 0x0C56 }, { 0x0D3E, 0x0D4D }, { 0x0E31, 0x0E31 },
  { 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E }, { 0x1160, 0x11FF }, { 0x1AB0, 0x1AFF },
  { 0x1DC0, 0x1DFF }, { 0x200C, 0x200D }, { 0x20D0, 0x20FF }, { 0x302A, 0x302F },
  { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F }, { 0x1F3FB, 0x1F3FF },
  { 0xE0020, 0xE007F }, { 0xE0100, 0xE01EF },
}

local function extends(code)
  if code < 0x0300 then return false end
  for _, range in ipairs(EXTENDS) do
    if code < range[1] then return false end
    if code <= range[2] then return true end
  end
  return false
end

local function is_flag(code) return code >= 0x1F1E6 and code <= 0x1F1FF end

-- The byte at which the character of the one before byte `i` begins.
local function back(text, i)
  repeat i = i - 1 until i <= 1 or text:byte(i) < 0x80 or text:byte(i) >= 0xC0
  return i
end

-- Flags are pairs of letters: whether an odd number of them stands before byte `i`.
local function splits_flag(text, from, i)
  local n = 0
  while i > from do
    i = back(text, i)
    if not is_flag((utf8.decode(text, i))) then break end
    n = n + 1
  end
  return n % 2 == 1
end

-- Whether the code points before and at byte `i` belong together.
local function joined(text, from, i)
  local code = utf8.decode(text, i)
  if extends(code) then return true end
  local before = utf8.decode(text, back(text, i))
  if before == JOINER then return code >= 0x2190 end
  return is_flag(code) and is_flag(before) and splits_flag(text, from, i)
end

---The last place up to byte `i` at which a text may be cut.
---@param text string UTF-8
---@param from integer the first byte of the part that is cut
---@param i integer a byte at which a code point begins, behind `from`
---@return integer byte that begins what comes after the cut; `i` when there is no other place
function M.cut(text, from, i)
  local at = i
  for _ = 1, LONGEST do
    if at <= from then return i end
    if at > #text or not joined(text, from, at) then return at end
    at = back(text, at)
  end
  return i
end

return M
