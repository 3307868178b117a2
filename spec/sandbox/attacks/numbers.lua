-- Numbers at their ends, where C converts them.

return {
  { name = "reads a number from a long text", must = { gives = { math.huge } },
    source = "return tonumber('1' .. ('0'):rep(1e6))" },
  { name = "reads a number that is larger than all", must = { gives = {}, n = 3 },
    source = "return tonumber('1e999999999'), tonumber('-1e999999999'), tonumber('1e-999999999')" },
  { name = "reads a number with a suffix of the ffi", must = { gives = {}, n = 3 },
    source = "return tonumber('1LL'), tonumber('1ULL'), tonumber('1i')" },
  { name = "reads a number in a base that is none", must = { gives = { false, false, false, false } },
    source = [[
    return (pcall(tonumber, '10', 99)), (pcall(tonumber, '10', 0/0)), (pcall(tonumber, '10', -1)),
    (pcall(tonumber, '10', 2^53))]] },
  { name = "shifts by more bits than there are", must = { gives = { 2, 1, 1, 0 } },
    source = "return bit.lshift(1, 33), bit.rshift(1, 32), bit.rol(1, 64), bit.arshift(0, 1e9)" },
  { name = "uses bits of what is no number", must = { gives = { false, false, false } },
    source = "return (pcall(bit.band, {})), (pcall(bit.bor, 'x')), (pcall(bit.bnot))" },
  { name = "converts no number and no end to bits", must = { gives = { true, true, true } },
    source = "return type(bit.tobit(0/0)) == 'number', type(bit.tobit(1/0)) == 'number', type(bit.tobit(-1e300)) == 'number'" },
  { name = "prints bits in more digits than there are", must = { gives = { true, true, "" } },
    source = "return #bit.tohex(1, 1e9) <= 8, #bit.tohex(1, -1e9) <= 8, bit.tohex(1, 0)" },
  { name = "prints bits in the least number of digits", must = { gives = { true } },
    source = "return #bit.tohex(-1, -2^31) <= 8" },
  { name = "draws chance from a range that is none", must = { gives = { true } },
    source = "local x = math.random(0/0) local y = math.random(2, -1e300) return type(x) == 'number' and type(y) == 'number'" },
  { name = "draws chance from all numbers", must = { gives = { true } },
    source = "local x = math.random(1, 2^53) return x >= 1 and x <= 2^53" },
  { name = "knows the chance of a state from another one", must = { gives = { true } }, source = "return math.random() ~= ...",
    play = function(sb)
    return sb:start("main", 1000, 20, 0.79420629243124) -- what a LuaJIT that nobody has seeded gives first
  end },
  { name = "divides by nothing", must = { gives = { true, true, true } },
    source = "return 1/0 == math.huge, 0/0 ~= 0/0, 5 % math.huge ~= nil" },
  { name = "loops with a step of nothing", must = { stops = "cpu_limit" }, source = "for i = 1, 2, 0 do end" },
  { name = "loops to the end of numbers", must = { stops = "cpu_limit" }, source = "for i = 1, math.huge do end" },
  { name = "loops over no numbers", must = { gives = { 0 } },
    source = "local n = 0 for i = 0/0, 0/0 do n = n + 1 end return n" },
  { name = "loops over what is no number", source = "for i = {}, 1 do end",
    must = { raises = "main.lua:1: 'for' initial value must be a number" } },
  { name = "raises a number to the end of numbers", must = { gives = { math.huge, 0, 1 } },
    source = "return 2^1e308, 2^-1e308, (0/0)^0" },
  { name = "scales a number beyond all", must = { gives = { math.huge, 0 } },
    source = "return math.ldexp(1, 1e9), math.ldexp(1, -1e9)" },
  { name = "orders what cannot be ordered", source = "return 1 < 'x'",
    must = { raises = "main.lua:1: attempt to compare number with string" } },
  { name = "calculates with null", source = "return null + 1",
    must = { raises = "main.lua:1: attempt to perform arithmetic on global 'null' (a userdata value)" } },
  { name = "counts by no number, by nothing, and without an end", must = { gives = { 0, 0, 0 } }, source = [[
    local a, b, c = 0, 0, 0
    for _ = 1, 0/0 do a = a + 1 end
    for _ = 0/0, 1 do b = b + 1 end
    for _ = 1, 10, 0/0 do c = c + 1 if c > 100 then break end end
    return a, b, c]] },
  { name = "counts by steps of nothing", must = { stops = "cpu_limit" }, source = "for _ = 1, 2, 0 do end" },
  { name = "counts to the end of all numbers", must = { stops = "cpu_limit" }, source = "for _ = 1, 1/0 do end" },
  { name = "counts where one more is the same", must = { stops = "cpu_limit" }, source = "for _ = 2^53, 2^53 + 4 do end" },
  { name = "reads numbers of a hundred thousand digits", must = { gives = { true, true, true, true } }, source = [[
    local digits = ("9"):rep(100000)
    return tonumber("0x" .. ("f"):rep(100000)) ~= 0, tonumber("1e" .. digits) == nil, tonumber("0x1p" .. digits) ~= 0,
      tonumber("0." .. ("0"):rep(100000) .. "1") == 0]] },
  { name = "reads numbers from what is none", must = { gives = {}, n = 6 },
    source = "return tonumber('1\\0'), tonumber('0x'), tonumber('1_000'), tonumber('0b2'), tonumber('--1'), tonumber('1e+')" },
  { name = "asks for chance between no numbers", must = { gives = { true, true, true } },
    source = [[
    local a, b, c = math.random(1, 2^31 - 1), math.random(2, 1), math.random(0/0)
    return a >= 1 and a < 2^31, type(b) == "number", type(c) == "number"]] },
  { name = "scales numbers by exponents that are none", must = { gives = { true, true, true } },
    source = "return math.ldexp(1, 2^31 - 1) == 1/0, math.ldexp(1, -2^31) == 0, type(math.ldexp(1, 0/0)) == 'number'" },
  { name = "writes more digits in hexadecimal than there are", must = { gives = { "1", "1", 0 } },
    source = "return bit.tohex(1, 1e9), bit.tohex(1, 2^31 - 1), #bit.tohex(-1, -2^31)" },
}
