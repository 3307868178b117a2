-- Where in a JSON text a value stands, so that a complaint about it can name the line.

local json = require "host.json"

local M = {}

local find, sub = string.find, string.sub

-- The byte after the string that begins at i.
local function string_end(text, i)
  i = i + 1
  while true do
    local at = find(text, '["\\]', i)
    if sub(text, at, at) == '"' then return at + 1 end
    i = at + 2
  end
end

--- The path of a member: `limits.cpu_ms`, `intents[0].name`; the document itself is "".
---@param path string
---@param key string|integer a key, or the index in an array, from 0
---@return string
function M.join(path, key)
  if type(key) == "number" then return ("%s[%d]"):format(path, key) end
  if path == "" then return key end
  return path .. "." .. key
end

-- Notes where each value lies, a member of an object where its key lies. Returns the byte after it.
local function scan(text, i, path, at)
  i = find(text, "[^ \t\r\n]", i)
  at[path] = at[path] or i
  local c = sub(text, i, i)
  if c == '"' then return string_end(text, i) end
  if c ~= "{" and c ~= "[" then return (find(text, "[,%]} \t\r\n]", i)) or #text + 1 end
  local close, n = c == "{" and "}" or "]", 0
  i = find(text, "[^ \t\r\n]", i + 1)
  if sub(text, i, i) == close then return i + 1 end
  while true do
    local inner
    if c == "{" then
      local after = string_end(text, i)
      inner = M.join(path, (json.decode(sub(text, i, after - 1))))
      at[inner] = i
      i = find(text, ":", after, true) + 1
    else
      inner = M.join(path, n)
      n = n + 1
    end
    i = scan(text, i, inner, at)
    i = find(text, "[,%]}]", i)
    if sub(text, i, i) == close then return i + 1 end
    i = find(text, "[^ \t\r\n]", i + 1)
  end
end

--- Reads a document once.
---@param text string JSON that host.json has accepted
---@return fun(path: string): integer line_of the line of a path, or of the nearest that encloses it
function M.locate(text)
  local at = {}
  scan(text, 1, "", at)
  return function(path)
    while not at[path] do path = path:match "^(.*)[.%[][^.%[]*$" or "" end
    local line = 1
    for _ in sub(text, 1, at[path] - 1):gmatch "\n" do line = line + 1 end
    return line
  end
end

return M
