-- Markdown as language models write it, as a text with entities (Bot API, MessageEntity). What is
-- no markup stays what it is: nothing that a person or a model writes can break a message, and no
-- word of it is lost.
--
-- Known: what `inline` knows; fenced code with its language, # headings, > quotes, lists and tasks,
-- tables. Lines stay lines.

local clean = require("parley.channels.telegram.entities").clean
local inline = require "parley.channels.telegram.markdown.inline"
local grid = require "parley.channels.telegram.markdown.table"
local writer = require "parley.channels.telegram.markdown.writer"

local M = {}

-- Blocks are tried in this order at each line. One gets the document - `lines`, the writer `w`,
-- `last`, `in_quote` - and a line; it returns the line behind it, nil: it is none.

-- The line that ends a fence. Which of them have no end is kept: looking for it takes as long as
-- the text is.
local function fence_end(doc, i, mark)
  local c, n = mark:sub(1, 1), #mark
  if n >= (doc.open_fences[c] or math.huge) then return nil end
  for stop = i + 1, doc.last do
    local found = doc.lines[stop]:match("^%s*(" .. c .. "+)%s*$")
    if found and #found >= n then return stop end
  end
  doc.open_fences[c] = n
end

local function fence(doc, i)
  local indent, mark, info = doc.lines[i]:match "^(%s*)(```+)%s*([^`]*)$"
  if not mark then indent, mark, info = doc.lines[i]:match "^(%s*)(~~~+)%s*([^~]*)$" end
  local stop = mark and fence_end(doc, i, mark)
  if not stop then return nil end
  local body = {}
  for n = i + 1, stop - 1 do
    local line = doc.lines[n]
    local blank = #line:match "^%s*"
    body[#body + 1] = line:sub(math.min(blank, #indent) + 1)
  end
  doc.w:entity("pre", function() doc.w:text(table.concat(body, "\n")) end,
    { language = info:match "^[%w+#._-]+" })
  return stop + 1
end

local function heading(doc, i)
  local marks, text = doc.lines[i]:match "^(#+)%s+(.-)%s*#*%s*$"
  if not marks or #marks > 6 then return nil end
  doc.w:entity("bold", function() inline.write(doc.w, text) end)
  return i + 1
end

local blocks

-- There are no quotes in quotes: their marks stay.
local function quote(doc, i)
  if doc.in_quote or not doc.lines[i]:find "^>" then return nil end
  local inside, stop = {}, i
  while stop <= doc.last and doc.lines[stop]:find "^>" do
    inside[#inside + 1] = doc.lines[stop]:gsub("^>%s?", "")
    stop = stop + 1
  end
  doc.w:entity("blockquote", function() blocks(doc.w, inside, true) end)
  return stop
end

local function columns(doc, i)
  local stop, text = grid.read(doc.lines, i, doc.last)
  if not stop then return nil end
  doc.w:entity("pre", function() doc.w:text(text) end)
  return stop + 1
end

-- The lines that go on with the one before.
local function is_plain(doc, i)
  local line = doc.lines[i]
  return i <= doc.last and line:find "%S" and not line:find "^#" and not line:find "^>"
    and not line:find "^%s*[*+-]%s" and not line:find "^%s*%d+[.)]%s" and not line:find "^%s*```"
    and not line:find "^%s*~~~" and not grid.begins(doc.lines, i, doc.last)
end

local function is_rule(line)
  local marks = line:gsub("%s", "")
  return #marks >= 3 and (marks:find "^%-+$" or marks:find "^%*+$" or marks:find "^_+$")
end

local TASKS = { [" "] = "☐ ", x = "☑ ", X = "☑ " }

local function paragraph(doc, i)
  local text, stop = doc.lines[i], i + 1
  local indent, item = text:match "^(%s*)[*+-]%s+(.*)$"
  if item and not is_rule(text) then
    local task, rest = item:match "^%[([ xX])%]%s+(.*)$"
    doc.w:text(indent .. (task and TASKS[task] or "• "))
    text = rest or item
  end
  local parts = { text }
  if text:find "%S" then
    while is_plain(doc, stop) do
      parts[#parts + 1] = doc.lines[stop]
      stop = stop + 1
    end
  end
  inline.write(doc.w, table.concat(parts, "\n"))
  return stop
end

function blocks(w, lines, in_quote)
  local doc = { w = w, lines = lines, last = #lines, in_quote = in_quote, open_fences = {} }
  local i = 1
  while i <= doc.last do
    if i > 1 then w:text "\n" end
    i = fence(doc, i) or heading(doc, i) or quote(doc, i) or columns(doc, i) or paragraph(doc, i)
  end
end

---@param source string
---@return string text
---@return table[] entities of parley.channels.telegram.entities
function M.parse(source)
  local w, lines = writer.new(), {}
  for line in (source .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  blocks(w, lines, false)
  local text = w:result()
  if not text:find "%S" then return source, {} end -- of marks alone
  return text, clean(text, w.entities)
end

return M
