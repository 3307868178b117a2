-- A table of Markdown (GitHub's) as text in columns, for a font in which all letters are as wide.

local inline = require "parley.channels.telegram.markdown.inline"
local utf8 = require "parley.util.utf8"
local writer = require "parley.channels.telegram.markdown.writer"

local M = {}

local WIDTH_MAX = 40  -- of a column: what is longer moves the rest of its row
local GROWTH_MAX = 4  -- times its source: one long cell would pad all others

-- The cells of a row: plain texts without their marks.
local function cells_of(line)
  local inside = line:gsub("\\|", "\0"):match "^%s*|?(.-)|?%s*$"
  local out = {}
  for cell in (inside .. "|"):gmatch "(.-)|" do
    local w = writer.new()
    inline.write(w, (cell:match "^%s*(.-)%s*$":gsub("%z", "|")))
    out[#out + 1] = w:result():gsub("\n", " ")
  end
  return out
end

local function width_of(cell)
  local _, n = utf8.codes(cell)
  return n
end

-- How each column stands, from the row of dashes; nil: it is none.
local function sides_of(line)
  if not line:find "|" or line:find "[^%s|:-]" then return nil end
  local out = {}
  for cell in (line:match "^%s*|?(.-)|?%s*$" .. "|"):gmatch "(.-)|" do
    local left, right = cell:match "^%s*(:?)%-+(:?)%s*$"
    if not left then return nil end
    out[#out + 1] = right == "" and "left" or left == "" and "right" or "middle"
  end
  return out
end

local function padded(cell, width, side)
  local room = width - width_of(cell)
  if room <= 0 then return cell end
  local before = side == "right" and room or side == "middle" and math.floor(room / 2) or 0
  return (" "):rep(before) .. cell .. (" "):rep(room - before)
end

local function written(rows, sides)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for k, cell in ipairs(row) do
      widths[k] = math.max(widths[k] or 1, math.min(width_of(cell), WIDTH_MAX))
    end
  end
  for i, row in ipairs(rows) do
    local out = {}
    for k, cell in ipairs(row) do out[k] = padded(cell, widths[k], sides[k]) end
    lines[#lines + 1] = table.concat(out, " | "):gsub("%s+$", "")
    if i == 1 then
      for k = 1, #row do out[k] = ("-"):rep(widths[k]) end
      lines[2] = table.concat(out, "-+-")
    end
  end
  return table.concat(lines, "\n")
end

---The table that begins with a line.
---@param lines string[]
---@param i integer
---@param last integer
---@return integer|nil stop its last line; nil: there is none
---@return string|nil text
function M.read(lines, i, last)
  if i == last or not lines[i]:find "|" then return nil end
  local sides = sides_of(lines[i + 1])
  if not sides then return nil end
  local rows, stop, bytes = { cells_of(lines[i]) }, i + 1, 0
  if #rows[1] ~= #sides then return nil end
  while stop < last and lines[stop + 1]:find "|" do
    stop = stop + 1
    rows[#rows + 1] = cells_of(lines[stop])
  end
  for n = i, stop do bytes = bytes + #lines[n] end
  local text = written(rows, sides)
  if #text > GROWTH_MAX * bytes then return nil end
  return stop, text
end

---Whether a table begins here.
function M.begins(lines, i, last)
  return i < last and lines[i]:find "|" ~= nil and sides_of(lines[i + 1]) ~= nil
end

return M
