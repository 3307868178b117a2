-- Entities (Bot API, MessageEntity) as Telegram takes them. One that is wrong would lose its whole
-- message, so what a plugin gives, and what Markdown makes, passes here.

local utf16 = require "parley.util.utf16"

local M = {}

-- Every kind that a bot may send, and the field that it cannot be without.
local KINDS = {
  text_link = "url", custom_emoji = "custom_emoji_id", text_mention = "user",
}
for _, name in ipairs {
  "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "blockquote",
  "expandable_blockquote", "mention", "hashtag", "cashtag", "url", "email", "phone_number",
  "bot_command",
} do KINDS[name] = true end

local FIELDS = { url = "string", language = "string", custom_emoji_id = "string", user = "table" }

-- What stands in code is shown as it is; quotes have no quotes in them.
local CODE = { code = true, pre = true }
local QUOTE = { blockquote = true, expandable_blockquote = true }

local function is_whole(n) return type(n) == "number" and n % 1 == 0 end

-- Which units are the second ones of a character: nothing begins or ends there. nil: none is.
local function second_units(text)
  if not text:find "[\240-\247]" then return nil end
  local out, at = {}, 0
  for i = 1, #text do
    local b = text:byte(i)
    if b >= 0xF0 then out[at + 1] = true end
    if b < 0x80 or b >= 0xC0 then at = at + (b >= 0xF0 and 2 or 1) end
  end
  return out
end

-- One of them, on whole characters of the text; nil: it is none.
local function read(given, units, seconds)
  local needed = type(given) == "table" and KINDS[given.type]
  if not needed or not is_whole(given.offset) or not is_whole(given.length) then return nil end
  if needed ~= true and (type(given[needed]) ~= FIELDS[needed] or given[needed] == "") then
    return nil
  end
  local from, to = math.max(given.offset, 0), math.min(given.offset + given.length, units)
  if seconds and seconds[from] then from = from + 1 end
  if seconds and seconds[to] then to = to - 1 end
  if to <= from then return nil end
  local out = { type = given.type, offset = from, length = to - from }
  for name, kind in pairs(FIELDS) do
    if type(given[name]) == kind then out[name] = given[name] end
  end
  return out
end

local function part(e, from, to)
  local out = {}
  for key, value in pairs(e) do out[key] = value end
  out.offset, out.length = from, to - from
  return out
end

local function stop_of(e) return e.offset + e.length end

-- Of the same length, quotes are outside and code inside.
local function rank(e) return QUOTE[e.type] and 1 or CODE[e.type] and 3 or 2 end

local function before(a, b)
  if a.offset ~= b.offset then return a.offset < b.offset end
  if a.length ~= b.length then return a.length > b.length end
  local first, second = rank(a), rank(b)
  if first ~= second then return first < second end
  return a.order < b.order
end

-- Those of a kind beside one another, so that there is at most one of each kind at any place: what
-- a plugin gives is not to take long, whatever it is.
local function flatten(list)
  table.sort(list, before)
  local out, last = {}, {}
  for _, e in ipairs(list) do
    local other = last[e.type]
    if other and stop_of(other) > e.offset then
      local from, stop = stop_of(other), stop_of(e)
      if KINDS[e.type] == true and e.type ~= "pre" and stop > from then
        other.length = stop - other.offset
      elseif stop > from then
        e = part(e, from, stop)
        other = nil
      end
    else
      other = nil
    end
    if not other then out[#out + 1], last[e.type] = e, e end
  end
  return out
end

-- Whether `e` may be in `outer`.
local function fits(outer, e)
  if CODE[outer.type] then return false end
  return not (QUOTE[outer.type] and QUOTE[e.type])
end

local function insert(list, from, e)
  while list[from] and before(list[from], e) do from = from + 1 end
  table.insert(list, from, e)
end

-- The entities so that each is inside another one or beside it, as Telegram shows them.
local function nest(list)
  table.sort(list, before)
  local out, open, i = {}, {}, 1
  while list[i] do
    local e, good = list[i], true
    while #open > 0 and stop_of(open[#open]) <= e.offset do open[#open] = nil end
    local stop = stop_of(e)
    for _, outer in ipairs(open) do
      good = good and fits(outer, e)
      stop = math.min(stop, stop_of(outer))
    end
    if stop < stop_of(e) then -- it goes on behind the end of one that it began in
      table.remove(list, i)
      insert(list, i, part(e, e.offset, stop))
      insert(list, i, part(e, stop, stop_of(e)))
    else
      if good then out[#out + 1], open[#open + 1] = e, e end
      i = i + 1
    end
  end
  return out
end

-- What decorates is parted by the code in it, and begins again behind it.
local function spare_code(list)
  local codes = {}
  for _, e in ipairs(list) do if CODE[e.type] then codes[#codes + 1] = e end end
  if #codes == 0 then return list end
  table.sort(codes, before)
  local out = {}
  for _, e in ipairs(list) do
    local from, stop = e.offset, stop_of(e)
    if not CODE[e.type] and not QUOTE[e.type] then
      for _, c in ipairs(codes) do
        if c.offset >= stop then break end
        if stop_of(c) > from then
          if c.offset > from then out[#out + 1] = part(e, from, c.offset) end
          from = stop_of(c)
        end
      end
    end
    if stop > from then out[#out + 1] = part(e, from, stop) end
  end
  return out
end

---The entities that can be sent with a text: those of a kind that there is, inside of the text, on
---whole characters, each inside another one or beside it. What is none is left out.
---@param text string UTF-8
---@param given any list of entities
---@return table[] entities by their place, outer ones before inner ones
function M.clean(text, given)
  if type(given) ~= "table" or #given == 0 then return {} end
  local units, seconds, list = utf16.length(text), second_units(text), {}
  for _, e in ipairs(given) do
    local good = read(e, units, seconds)
    if good then
      list[#list + 1] = good
      good.order = #list
    end
  end
  local out = nest(spare_code(flatten(list)))
  for _, e in ipairs(out) do e.order = nil end
  return out
end

return M
