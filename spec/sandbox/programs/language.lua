-- The language itself: what every author takes for granted.

return {
  { name = "counts with a closure", must = { gives = { 1, 2, 1, 3 } }, source = [[
    local function counter() local n = 0 return function() n = n + 1 return n end end
    local a, b = counter(), counter()
    return a(), a(), b(), a()]] },
  { name = "shares an upvalue between closures", must = { gives = { 5, 6 } }, source = [[
    local get, set
    do local v = 1 get = function() return v end set = function(x) v = x end end
    set(5)
    local before = get()
    set(6)
    return before, get()]] },
  { name = "closes over each turn of a loop", must = { gives = { 1, 2, 3 } }, source = [[
    local f = {}
    for i = 1, 3 do f[i] = function() return i end end
    return f[1](), f[2](), f[3]()]] },
  { name = "passes varargs with nils in them", must = { gives = { 4, "nil", 3 } }, source = [[
    local function f(...) local t = { n = select("#", ...), ... } return t.n, tostring(t[2]), (select(3, ...)) end
    return f(1, nil, 3, nil)]] },
  { name = "takes tail calls as far as it likes", must = { gives = { "done" } }, source = [[
    local function loop(n) if n == 0 then return "done" end return loop(n - 1) end
    return loop(200000)]] },
  { name = "recurses deep, but not without end", must = { gives = { 5000 } }, source = [[
    local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
    return depth(5000)]] },
  { name = "calls functions that call each other", must = { gives = { true, false } }, source = [[
    local even, odd
    function even(n) if n == 0 then return true end return odd(n - 1) end
    function odd(n) if n == 0 then return false end return even(n - 1) end
    return even(1000), even(7)]] },
  { name = "continues a loop with goto", must = { gives = { 25 } }, source = [[
    local sum = 0
    for i = 1, 10 do
      if i % 2 == 0 then goto continue end
      sum = sum + i
      ::continue::
    end
    return sum]] },
  { name = "leaves nested loops with goto", must = { gives = { 2, 6 } }, source = [[
    local a, b
    for i = 1, 10 do
      for j = 1, 10 do
        if i * j == 12 then a, b = i, j goto found end
      end
    end
    ::found::
    return a, b]] },
  { name = "works with bits", must = { gives = { 8, 14, 6, -16, "000000ff", 16 } }, source = [[
    return bit.band(12, 10), bit.bor(12, 10), bit.bxor(12, 10), bit.bnot(15), bit.tohex(255), bit.lshift(1, 4)]] },
  { name = "computes a checksum with bits", must = { gives = { 300286872 } }, source = [[
    local a, b = 1, 0
    for ch in ("Wikipedia"):gmatch "." do a = (a + ch:byte()) % 65521 b = (b + a) % 65521 end
    return bit.bor(bit.lshift(b, 16), a)]] },
  { name = "calculates with the ends of numbers", must = { gives = { true, 3, -3, 2, 1, 256 } }, source = [[
    return math.huge > 2^1023, math.floor(3.7), math.ceil(-3.7), 7 % 5, -7 % 4, 2^8]] },
  { name = "draws chance within its bounds", must = { gives = { true } }, source = [[
    for i = 1, 1000 do
      local x, y = math.random(), math.random(6)
      if x < 0 or x >= 1 or y < 1 or y > 6 or y % 1 ~= 0 then return false end
    end
    return true]] },
  { name = "asks for names that are not there", must = { gives = { "nil", "nil" } },
    source = "return type(undeclared), type(_G.undeclared)" },
  { name = "reads libraries through _G", must = { gives = { "X", true } },
    source = "return _G.string.upper 'x', _G.math == math" },
  { name = "gives libraries short names", must = { gives = { "b", 3 } },
    source = "local sub, max = string.sub, math.max return sub('abc', 2, 2), max(1, 3, 2)" },
  { name = "requires its own modules, once", must = { gives = { 1, 1, "m" } },
    source = "local a, b = require 'm', require 'm' return a.n(), b == a and 1 or 0, a.name", lib = { m =
    "local n = 0 return { n = function() n = n + 1 return n end, name = ... }" } },
  { name = "requires modules that require others", must = { gives = { "bottom" } }, source = "return require('top').value",
    lib = {
      top = "return { value = require 'middle' }",
      middle = "return require('bottom').value",
      bottom = "return { value = 'bottom' }",
    } },
  { name = "requires a module again that has failed before", must = { gives = { false, false } },
    lib = { bad = "error 'not today'" },
    source = "return (pcall(require, 'bad')), (pcall(require, 'bad'))" },
  { name = "formats and reads the time", must = { gives = { "1970-01-02 00:00:00", 86400, 2026, 7, 1 } }, source = [[
    local t = os.date("*t", os.time { year = 2026, month = 7, day = 1, hour = 0 })
    local second_day = os.time { year = 1970, month = 1, day = 2, hour = 0 }
    return os.date("!%Y-%m-%d %H:%M:%S", second_day), second_day, t.year, t.month, t.day]] },
  { name = "lets os.time put dates right", must = { gives = { "2026-03-01", "2025-12-31", "2024-02-29" } }, source = [[
    local function day(t) return os.date("%Y-%m-%d", os.time(t)) end
    return day { year = 2026, month = 2, day = 29 }, day { year = 2026, month = 1, day = 0 },
      day { year = 2023, month = 14, day = 29 }]] },
  { name = "knows that time goes on", must = { gives = { true, true } },
    source = "local a = os.time() return os.time() >= a, os.difftime(os.time(), a) < 60" },
}
