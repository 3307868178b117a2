-- Another plugin's state, which goes on answering the right thing while programs run beside it.

local M = {}
M.__index = M

local SOURCE = [[
local n = ...
local words = {}
for word in ("one two three four five"):gmatch "%a+" do words[#words + 1] = word .. n end
table.sort(words)
local sum = 0
for i in coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) do sum = sum + i end
local ok, err = pcall(error, { code = n })
return table.concat(words, ","), sum, err.code, parley.uuid()
]]

---@param state table fuzz.rig's load()
function M.new(state)
  assert(state.sb:compile("neighbour", SOURCE, "=neighbour"))
  return setmetatable({ state = state, asked = 0 }, M)
end

function M:ask()
  self.asked = self.asked + 1
  local n = self.asked % 20 + 1
  local kind, a, b, c, d = self.state.sb:start("neighbour", 1000, 20, n)
  if kind == "door" then kind, a, b, c, d = a:answer("id" .. n) end
  local words = ("five%d,four%d,one%d,three%d,two%d"):format(n, n, n, n, n)
  if kind ~= "done" or a ~= words or b ~= n * (n + 1) / 2 or c ~= n or d ~= "id" .. n then
    local what = type(a) == "table" and a.message or tostring(a)
    error(("the neighbour has answered %s: %s %s %s %s"):format(kind, what, tostring(b),
      tostring(c), tostring(d)), 0)
  end
end

function M:close() self.state.driver:close() end

return M
