-- Loops over pairs inside one another, as LuaJIT #827 has them: the compiler gives up on the outer one while it runs.
-- Prints how many were wrong. A process of its own, because what the compiler does depends on all that has run before.

local list = { 1, 2, 3, 4, 5 }
local map = { a = list, b = list, c = list, d = list, e = list }
local function leave_trace(...) for _ = 1, 100 do end end -- luacheck: ignore

local wrong = 0
for _ = 1, 100000 do
  leave_trace()
  local n = 0
  for _, v in pairs(map) do
    for _ in pairs(v) do end -- luacheck: ignore
    n = n + 1
  end
  if n ~= 5 then wrong = wrong + 1 end
end
print(wrong)
