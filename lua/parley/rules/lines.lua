-- Where the rules of a file stand: the rules themselves know their numbers only.

local M = {}

-- Past what begins at `at`, when it is a comment, a string in quotes or one in long brackets.
local function skip(source, at)
  local level = source:match("^%-%-%[(=*)%[", at) or source:match("^%[(=*)%[", at)
  if level then
    local _, last = source:find("]" .. level .. "]", at, true)
    return (last or #source) + 1
  end
  if source:find("^%-%-", at) then return (source:find("\n", at, true) or #source) + 1 end
  local quote = source:match("^[\"']", at)
  if not quote then return nil end
  local i = at + 1
  while i <= #source and source:sub(i, i) ~= quote do
    i = i + (source:sub(i, i) == "\\" and 2 or 1)
  end
  return i + 1
end

-- Where the list begins that a file returns: that of a function stands further to the right.
local function list_of(source)
  local at = 1
  while at <= #source do
    local past = skip(source, at)
    if not past and (at == 1 or source:byte(at - 1) == 10) and source:find("^return%f[^%w_]", at)
    then
      return source:match("^return%s*{()", at)
    end
    at = past or at + 1
  end
end

---The line of the n-th table of the list that a file returns.
---@param source string that compiles
---@param n integer
---@return integer|nil line nil: what stands there is not n tables, one after the other
function M.of(source, n)
  local at, depth, count = list_of(source), 0, 0
  while at and at <= #source do
    local past, c = skip(source, at), source:sub(at, at)
    if c == "{" then
      depth = depth + 1
      if depth == 1 then count = count + 1 end
      if depth == 1 and count == n then
        return select(2, source:sub(1, at):gsub("\n", "")) + 1
      end
    elseif c == "}" then
      depth = depth - 1
    elseif depth == 0 and not past and not c:find "[%s,;]" then
      return nil
    end
    at = past or at + 1
  end
  return nil
end

return M
