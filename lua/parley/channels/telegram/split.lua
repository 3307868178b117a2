-- A text that is longer than a message may be, as several: cut between paragraphs, else lines, else
-- sentences, else words. An entity that lies across a cut goes on in the next piece.

local utf8 = require "parley.util.utf8"

local M = {}

local ENDS = { "\n\n", "\n", "[.!?] ", " " }
local LEAST = 0.5 -- of the limit: a better place far in front is none

-- Byte positions of each UTF-16 unit: where a piece of so many units ends.
local function cut_at(text, from, max)
  local i, units = from, 0
  while i <= #text do
    local code, after = utf8.decode(text, i)
    local n = code > 0xFFFF and 2 or 1
    if units + n > max then return i - 1, units end
    units, i = units + n, after
  end
  return #text, units
end

local function length(text, from, to)
  local i, units = from, 0
  while i <= to do
    local code, after = utf8.decode(text, i)
    units, i = units + (code > 0xFFFF and 2 or 1), after
  end
  return units
end

-- The last byte of a piece that begins at `from` and has at most `max` units.
local function place(text, from, max)
  local last = cut_at(text, from, max)
  if last == #text then return last end
  local least = from + math.floor((last - from) * LEAST)
  for _, e in ipairs(ENDS) do
    local found, at = nil, least
    while true do
      local first, stop = text:find(e, at)
      if not first or stop > last then break end
      found, at = stop, stop + 1
    end
    if e == " " and text:find("^%s", last + 1) then return last end
    if found then return found end
  end
  return last
end

-- The part of the entities that lies in units [from, to).
local function clip(entities, from, to)
  local out = {}
  for _, e in ipairs(entities) do
    local first, last = math.max(e.offset, from), math.min(e.offset + e.length, to)
    if last > first then
      local part = {}
      for key, value in pairs(e) do part[key] = value end
      part.offset, part.length = first - from, last - first
      out[#out + 1] = part
    end
  end
  return out
end

-- Spaces at the ends of a piece are not sent; entities move along.
local function trimmed(text, from, to)
  local first = text:find("%S", from) or to + 1
  local last = to
  while last >= first and text:find("^%s", last) do last = last - 1 end
  return first, last
end

---@param text string
---@param entities table[]|nil
---@param max integer UTF-16 units of a piece
---@return {text: string, entities: table[]}[] pieces none is empty
function M.pieces(text, entities, max)
  local out, at, units = {}, 1, 0
  while at <= #text do
    local stop = place(text, at, max)
    local first, last = trimmed(text, at, stop)
    local before = units + length(text, at, first - 1)
    if last >= first then
      local inside = length(text, first, last)
      out[#out + 1] = {
        text = text:sub(first, last),
        entities = clip(entities or {}, before, before + inside),
      }
    end
    units = units + length(text, at, stop)
    at = stop + 1
  end
  return out
end

return M
