-- Lua patterns that strangers wrote, matched in time that is bounded by text times pattern.
--
-- string.find backtracks: one find with a few `.-` ran for 30 s, and nothing can stop it. A
-- manifest's patterns only say whether a plugin is asked, so captures are not needed, and
-- following all the ways through the pattern at once gives the same answer. Not available: %b, %f
-- and %1, which cannot be followed so.

local M = {}

local find, byte, sub = string.find, string.byte, string.sub

local PATTERN_BYTES = 256
local TEXT_BYTES = 4096 -- of a message; what a message is about stands at its beginning

-- Which bytes a single-character class accepts; the Lua library itself is asked.
local function class_bytes(class)
  local set = {}
  for b = 0, 255 do set[b] = find(string.char(b), "^" .. class .. "$") ~= nil end
  return set
end

-- The byte after the class that begins at i, or nil and what is wrong.
local function class_end(p, i)
  local c = sub(p, i, i)
  if c == "%" then
    local escaped = sub(p, i + 1, i + 1)
    if escaped == "" then return nil, "it ends with '%'" end
    if escaped:find "[bf%d]" then return nil, ("%%%s is not available here"):format(escaped) end
    return i + 2
  end
  if c ~= "[" then return i + 1 end
  i = i + 1
  if sub(p, i, i) == "^" then i = i + 1 end
  local first = true
  while first or sub(p, i, i) ~= "]" do
    if i > #p then return nil, "']' is missing" end
    if byte(p, i) >= 0x80 then
      return nil, "a [set] holds single bytes: letters beyond ASCII do not fit in it"
    end
    i = i + (sub(p, i, i) == "%" and 2 or 1)
    first = false
  end
  if i > #p then return nil, "']' is missing" end
  return i + 1
end

local function parse(p)
  local items, depth, i = {}, 0, 1
  local anchored = sub(p, 1, 1) == "^"
  local to_end = false
  if anchored then i = 2 end
  while i <= #p do
    local c = sub(p, i, i)
    if c == "(" then
      depth, i = depth + 1, i + 1
    elseif c == ")" then
      if depth == 0 then return nil, "')' without '('" end
      depth, i = depth - 1, i + 1
    elseif c == "$" and i == #p then
      to_end, i = true, i + 1
    else
      local after, problem = class_end(p, i)
      if not after then return nil, problem end
      local class, quantifier = sub(p, i, after - 1), sub(p, after, after)
      if not quantifier:find "^[*+?-]" then quantifier = "" end
      if byte(class) >= 0x80 and quantifier ~= "" then
        return nil, ("'%s' repeats a single byte: it cannot follow a letter beyond ASCII")
          :format(quantifier)
      end
      local letter = class:match "^%%(%W)$" or class:match "^[^%%%[.]$"
      if not letter and #class == 1 and class ~= "." then letter = class end
      items[#items + 1] = { class = class, quantifier = quantifier, letter = letter }
      i = after + #quantifier
    end
  end
  if depth > 0 then return nil, "')' is missing" end
  return { items = items, anchored = anchored, to_end = to_end }
end

-- The longest text that every match must hold: a plain search for it turns most messages away.
local function required(items)
  local best, run = "", ""
  for _, item in ipairs(items) do
    if item.letter and item.quantifier == "" then
      run = run .. item.letter
      if #run > #best then best = run end
    else
      run = ""
    end
  end
  return best
end

-- Items as states: state i waits for items[i]; `more` may be taken again, `skip` may be left out.
local function states(items)
  local out = {}
  for _, item in ipairs(items) do
    local letter, q = item.letter, item.quantifier
    local class = letter and (letter:find "%w" and letter or "%" .. letter) or item.class
    local bytes = class_bytes(class)
    if q == "+" then
      out[#out + 1] = { bytes = bytes }
      q = "*"
    end
    out[#out + 1] = { bytes = bytes, more = q == "*" or q == "-", skip = q ~= "" }
  end
  return out
end

-- Follows every way through the pattern at once.
local function simulate(list, anchored, to_end, text)
  local n = #list
  local now, later = {}, {}
  local function enter(set, i) -- and whatever may be skipped after it
    while not set[i] do
      set[i] = true
      if i > n or not list[i].skip then return end
      i = i + 1
    end
  end
  enter(now, 1)
  for at = 1, #text do
    if now[n + 1] and not to_end then return true end
    local c = byte(text, at)
    local alive = false
    for i = 1, n do
      if now[i] then
        local state = list[i]
        if state.bytes[c] then
          alive = true
          enter(later, state.more and i or i + 1)
        end
        now[i] = nil
      end
    end
    now[n + 1] = nil
    now, later = later, now
    if not anchored then enter(now, 1) elseif not alive then return false end
  end
  return now[n + 1] == true
end

--- Compiles a pattern.
---@param pattern string
---@return (fun(text: string): boolean)? matches
---@return string? problem what is wrong with the pattern
function M.compile(pattern)
  if #pattern > PATTERN_BYTES then return nil, ("longer than %d bytes"):format(PATTERN_BYTES) end
  -- To the library it is the end of the pattern, in a set too.
  if find(pattern, "\0", 1, true) then return nil, "a zero byte: write %z" end
  local parsed, problem = parse(pattern)
  if not parsed then return nil, problem end
  local literal = required(parsed.items)
  local loops = 0
  for _, item in ipairs(parsed.items) do if item.quantifier ~= "" then loops = loops + 1 end end
  -- Without a choice to go back to, the library's own search is linear too.
  local plain = loops == 0 or (loops == 1 and parsed.anchored)
  local list = not plain and states(parsed.items)
  return function(text)
    if #text > TEXT_BYTES then text = sub(text, 1, TEXT_BYTES) end
    if literal ~= "" and not find(text, literal, 1, true) then return false end
    if plain then return find(text, pattern) ~= nil end
    return simulate(list, parsed.anchored, parsed.to_end, text)
  end
end

return M
