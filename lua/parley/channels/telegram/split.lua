-- A text that is longer than a message may be, as several: cut between paragraphs, else lines, else
-- sentences, else words, else characters. An entity that lies across a cut goes on in the next
-- piece, code with its language; a cut before code is better than one in it.

local grapheme = require "parley.util.grapheme"
local utf16 = require "parley.util.utf16"

local M = {}

local PARAGRAPH, LINE, SENTENCE, WORD = "\n\n", "\n", "[.!?]+%s", "%s"
local ENTITIES_MAX = 100 -- of a message (Bot API, sendMessage): Telegram forgets the others
local LEAST = 0.5 -- of the limit: a better place far in front is none

-- The last byte of as much text from byte `from` on as has at most `max` units.
local function reach(text, from, max)
  local at, units = from, 0
  while at <= #text do
    local b = text:byte(at)
    local n = (b < 0x80 or b >= 0xC0) and (b >= 0xF0 and 2 or 1) or 0
    if units + n > max then break end
    units, at = units + n, at + 1
  end
  return at - 1
end

-- How many units of a piece have no more entities than it may have.
local function room_for(entities, from, max)
  local n = 0
  for _, e in ipairs(entities) do
    if e.offset >= from + max then break end
    if e.offset + e.length > from then
      n = n + 1
      if n > ENTITIES_MAX and e.offset > from then return e.offset - from end
    end
  end
  return max
end

-- Where code stands: {first, last} byte of each.
local function code_of(text, entities)
  local out = {}
  for _, e in ipairs(entities) do
    if e.type == "pre" then
      local first = reach(text, 1, e.offset) + 1
      out[#out + 1] = { first, reach(text, first, e.length) }
    end
  end
  return out
end

-- The code that a cut before byte `at` would part.
local function parted(codes, at)
  for _, c in ipairs(codes) do
    if at > c[1] and at <= c[2] then return c end
  end
end

-- The last end of a kind between two bytes, that parts none of the codes.
local function last_end(text, kind, from, to, codes)
  local found, at = nil, from
  while true do
    local first, stop = text:find(kind, at)
    if not first or stop > to then return found end
    if not parted(codes, stop + 1) then found = stop end
    at = stop + 1
  end
end

-- The last byte of a piece that begins at byte `from`, where `last` is the last that it may have.
local function place(text, from, last, codes)
  local least = from + math.floor((last - from) * LEAST)
  local code = parted(codes, last + 1)
  if code and code[1] > least then return grapheme.cut(text, from, code[1]) - 1 end
  return last_end(text, PARAGRAPH, least, last, codes)
    or last_end(text, LINE, least, last + 1, codes)
    or last_end(text, LINE, least, last + 1, {})
    or last_end(text, SENTENCE, least, last, {})
    or last_end(text, WORD, least, last + 1, {})
    or grapheme.cut(text, from, last + 1) - 1
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

-- Without the spaces at its ends, which are not shown; at the beginning of code they are.
local function trimmed(text, from, to, codes)
  local first = text:find(parted(codes, from) and "[^\n]" or "%S", from) or to + 1
  while to >= first and text:find("^%s", to) do to = to - 1 end
  return first, to
end

---@param text string
---@param entities table[]|nil of parley.channels.telegram.entities: by their place
---@param max integer UTF-16 units of a piece
---@return {text: string, entities: table[]}[] pieces none is empty
function M.pieces(text, entities, max)
  local out, at, units = {}, 1, 0
  entities = entities or {}
  local long = #text > max or #entities > ENTITIES_MAX
  local codes = long and code_of(text, entities) or {}
  while at <= #text do
    local last = long and reach(text, at, room_for(entities, units, max)) or #text
    local stop = last < #text and place(text, at, last, codes) or last
    local first, to = trimmed(text, at, stop, codes)
    if to >= first then
      local before = units + utf16.length(text, at, first - 1)
      out[#out + 1] = {
        text = text:sub(first, to),
        entities = clip(entities, before, before + utf16.length(text, first, to)),
      }
    end
    units = units + utf16.length(text, at, stop)
    at = stop + 1
  end
  return out
end

return M
