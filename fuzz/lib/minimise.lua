-- Makes a failing text smaller: lines and indented blocks are taken away as long as it still fails.

local M = {}

local function join(lines) return table.concat(lines, "\n") .. "\n" end

local function split(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function without(lines, from, to)
  local out = {}
  for i, line in ipairs(lines) do
    if i < from or i > to then out[#out + 1] = line end
  end
  return out
end

local function indent(line) return #line:match "^ *" end

-- The last line of the block that line `i` opens: the next one that is not deeper.
local function block_end(lines, i)
  for k = i + 1, #lines do
    if indent(lines[k]) <= indent(lines[i]) then return k end
  end
end

-- The head and the end of a block away, what is in it stays.
local function unwrapped(lines, i)
  local last = block_end(lines, i)
  if not last or last == i + 1 then return nil end
  return without(without(lines, last, last), i, i)
end

---@param text string
---@param fails fun(text: string): boolean whether a smaller text still fails in the same way
---@return string
function M.run(text, fails)
  local lines = split(text)
  local function try(candidate)
    if not candidate or #candidate == #lines or not fails(join(candidate)) then return false end
    lines = candidate
    return true
  end
  local size = math.floor(#lines / 2)
  while size >= 1 do
    local i, removed = 1, false
    while i <= #lines do
      if try(without(lines, i, math.min(#lines, i + size - 1))) then
        removed = true
      else
        i = i + size
      end
    end
    if not removed or size > 1 then size = math.floor(size / 2) end
  end
  for i = #lines, 1, -1 do
    local last = lines[i] and block_end(lines, i)
    local _ = last and try(without(lines, i, last)) or try(unwrapped(lines, i))
  end
  return join(lines)
end

return M
