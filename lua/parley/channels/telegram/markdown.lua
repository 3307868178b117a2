-- Markdown as language models write it, as a text with entities (Bot API, MessageEntity). What is
-- no markup stays what it is: nothing that a person or a model writes can break a message.
--
-- Known: **bold** and __bold__, *italic* and _italic_, ~~strike~~, ||spoiler||, `code`, fenced
-- code, [text](url), # headings, > quotes, lists, a backslash before a mark. A mark that is never
-- closed is a character like any other.

local M = {}

local MARKS = { -- longer ones first
  { "***", "bold", "italic" },
  { "**", "bold" }, { "__", "bold" }, { "~~", "strikethrough" }, { "||", "spoiler" },
  { "*", "italic" }, { "_", "italic" },
}
local ESCAPED = "^\\([\\`*_{}%[%]()#+%-.!~|>])"

-- UTF-16 units of a piece of text.
local function units(s)
  local n = 0
  for i = 1, #s do
    local b = s:byte(i)
    if b < 0x80 or b >= 0xC0 then n = n + (b >= 0xF0 and 2 or 1) end
  end
  return n
end

local Writer = {}
Writer.__index = Writer

local function new_writer() return setmetatable({ parts = {}, at = 0, entities = {} }, Writer) end

function Writer:text(s)
  self.parts[#self.parts + 1] = s
  self.at = self.at + units(s)
end

-- What `fill` writes is of this kind; an entity of nothing is none.
function Writer:entity(kind, fill, more)
  local entity, place = { type = kind, offset = self.at }, #self.entities + 1
  table.insert(self.entities, place, entity)
  fill()
  entity.length = self.at - entity.offset
  for key, value in pairs(more or {}) do entity[key] = value end
  if entity.length == 0 then table.remove(self.entities, place) end
end

local inline

local function is_word(c) return c ~= "" and c:find "[%w\128-\255]" ~= nil end

-- The closing mark: not after a space, not at once; `_` stands at the end of a word.
local function closing(s, mark, from)
  local at = from
  while true do
    local found = s:find(mark, at, true)
    if not found then return nil end
    local before, after = s:sub(found - 1, found - 1), s:sub(found + #mark, found + #mark)
    local single = #mark == 1
    if found > from and not before:find "%s" and before ~= "\\"
      and not (single and (after == mark or before == mark))
      and not (mark:find "_" and is_word(after)) then
      return found
    end
    at = found + #mark
  end
end

-- A mark that opens here, of MARKS, where its inside begins, and where it closes.
local function opening(s, i)
  local before = s:sub(i - 1, i - 1)
  for _, m in ipairs(MARKS) do
    local mark = m[1]
    if s:sub(i, i + #mark - 1) == mark then
      local after = s:sub(i + #mark, i + #mark)
      -- In a word they are no marks: snake_case, 2*3*4.
      local inside = (#mark == 1 or mark == "__") and i > 1 and is_word(before)
      if after == "" or after:find "%s" or inside then return nil end
      local stop = closing(s, mark, i + #mark)
      if stop then return m, i + #mark, stop end
    end
  end
end

local function link(w, s, i)
  local text, url, stop = s:match("^%[([^%]\n]+)%]%((https?://[^%s()]*%b()[^%s()]*)%)()", i)
  if not text then text, url, stop = s:match("^%[([^%]\n]+)%]%((%a[%w+.-]*:[^%s()]+)%)()", i) end
  if not text then return nil end
  w:entity("text_link", function() inline(w, text) end, { url = url })
  return stop
end

local function code(w, s, i)
  local mark = s:match("^`+", i)
  local stop = s:find(mark, i + #mark, true)
  if not stop then return nil end
  local inside = s:sub(i + #mark, stop - 1)
  w:entity("code", function() w:text(inside) end)
  return stop + #mark
end

function inline(w, s)
  local i, plain = 1, 1
  local function flush(to)
    if to >= plain then w:text(s:sub(plain, to)) end
  end
  while i <= #s do
    local c, next_i = s:sub(i, i), nil
    if c == "\\" and s:find(ESCAPED, i) then
      flush(i - 1)
      w:text(s:sub(i + 1, i + 1))
      next_i = i + 2
    elseif c == "`" or c == "[" then
      flush(i - 1)
      plain = i
      next_i = (c == "`" and code or link)(w, s, i)
    elseif c:find "[*_~|]" then
      local mark, from, stop = opening(s, i)
      if mark then
        flush(i - 1)
        local function fill() inline(w, s:sub(from, stop - 1)) end
        w:entity(mark[2], mark[3] and function() w:entity(mark[3], fill) end or fill)
        next_i = stop + #mark[1]
      end
    end
    if next_i then
      i, plain = next_i, next_i
    else
      i = i + 1
    end
  end
  flush(#s)
end

-- One line that is no fence.
local function line_of(w, line)
  local heading = line:match "^#+%s+(.-)%s*#*%s*$"
  if heading and #line:match "^#+" <= 6 then
    return w:entity("bold", function() inline(w, heading) end)
  end
  local bullet, item = line:match "^(%s*)[*+-]%s+(.*)$"
  if bullet and not line:find "^%s*[*-]%s*[*-]%s*[*-]" then
    w:text(bullet .. "• ")
    return inline(w, item)
  end
  inline(w, line)
end

-- The lines from `i` on that a quote or a fence takes; returns the next one.
local function fence(w, lines, i)
  local mark, language = lines[i]:match "^%s*(```+)%s*([%w+#-]*)%s*$"
  if not mark then return nil end
  for stop = i + 1, #lines do
    if lines[stop]:find("^%s*" .. mark .. "%s*$") then
      local body = table.concat(lines, "\n", i + 1, stop - 1)
      w:entity("pre", function() w:text(body) end,
        { language = language ~= "" and language or nil })
      return stop + 1
    end
  end
end

local function quote(w, lines, i)
  if not lines[i]:find "^>%s?" then return nil end
  local stop = i
  while lines[stop + 1] and lines[stop + 1]:find "^>%s?" do stop = stop + 1 end
  w:entity("blockquote", function()
    for n = i, stop do
      if n > i then w:text "\n" end
      line_of(w, (lines[n]:gsub("^>%s?", "")))
    end
  end)
  return stop + 1
end

---@param source string
---@return string text
---@return table[] entities offsets and lengths in UTF-16 units, outer ones before inner ones
function M.parse(source)
  local w, lines = new_writer(), {}
  for line in (source .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  local i = 1
  while i <= #lines do
    if i > 1 then w:text "\n" end
    local after = fence(w, lines, i) or quote(w, lines, i)
    if not after then
      line_of(w, lines[i])
      after = i + 1
    end
    i = after
  end
  return table.concat(w.parts), w.entities
end

return M
