-- The string library: sizes, ranges, formats.

local MB = 1024 * 1024

return {
  { name = "repeats a text beyond all memory", memory = MB, must = { stops = "memory_limit" },
    source = "return #('x'):rep(1e9)" },
  { name = "repeats nothing for ever", must = { gives = { 0 } }, source = "return #(''):rep(1e9)" },
  { name = "repeats nothing with nothing between", must = { gives = { 0 } }, source = "return #(''):rep(1e9, '')" },
  { name = "repeats a text less than no times", must = { gives = { 0, 0, 0 } },
    source = "return #('x'):rep(-1), #('x'):rep(-2^53), #('x'):rep(0/0)" },
  { name = "doubles a text without end", memory = MB, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local s = 'x' while true do s = s .. s end" },
  { name = "reads before and behind a text", must = { gives = { "", "abc", "", "c" } },
    source = "local s = 'abc' return s:sub(5, 2^31 - 1), s:sub(-2^31, 2^31 - 1), s:sub(2^53, -2^53), s:sub(-1, 2^31 - 1)" },
  { name = "reads bytes that are not there", must = { gives = { 0, 0, 3 } },
    source = "local s = 'abc' return select('#', s:byte(10, 20)), select('#', s:byte(3, 1)), select('#', s:byte(-100, 100))" },
  { name = "asks for more bytes than a stack holds", source = "local s = ('x'):rep(1e5)\nlocal n = select('#', s:byte(1, -1))",
    must = { raises = "main.lua:2: string slice too long" } },
  { name = "makes characters that are none", must = { gives = { false, false, false, false } }, source = [[
    return (pcall(string.char, 256)), (pcall(string.char, -1)), (pcall(string.char, 0/0)), (pcall(string.char, 2^53))]] },
  { name = "formats an address", must = { gives = { false, false } },
    source = "return (pcall(string.format, '%p', {})), (pcall(string.format, '%p', 'text'))" },
  { name = "formats with a width without end", must = { gives = { false } },
    source = "return (pcall(string.format, '%1000000d', 1))" },
  { name = "formats with a precision without end", must = { gives = { false } },
    source = "return (pcall(string.format, '%.1000000f', 1))" },
  { name = "formats the largest number with the largest precision", must = { gives = { 409 } },
    source = "return #string.format('%99.99f', 1e308)" },
  { name = "formats with a conversion that is none", must = { gives = { false, false, false } },
    source = "return (pcall(string.format, '%y', 1)), (pcall(string.format, '%', 1)), (pcall(string.format, '%5', 1))" },
  { name = "formats values that are missing", must = { gives = { false, false } },
    source = "return (pcall(string.format, '%s')), (pcall(string.format, '%d %d', 1))" },
  { name = "writes into memory by %n", must = { gives = { false } }, source = "return (pcall(string.format, '%n', 1))" },
  { name = "formats with a format of many conversions", must = { gives = { 100000 } },
    source = "local t = {} for i = 1, 200 do t[i] = i % 10 end return #(string.format(('%d'):rep(200), unpack(t))):rep(500)" },
  { name = "formats what raises when it is printed", source =
    "return string.format('%s', setmetatable({}, { __tostring = function() error('mine', 0) end }))",
    must = { raises = "mine" } },
  { name = "formats what never ends when it is printed", must = { stops = "cpu_limit" },
    source = "return string.format('%s', setmetatable({}, { __tostring = function() while true do end end }))" },
  { name = "formats what swallows its stop when it is printed", must = { stops = "cpu_limit" }, source = [[
    local t = setmetatable({}, { __tostring = function() pcall(function() while true do end end) return "survived" end })
    return string.format("%s", t)]] },
  { name = "joins a text to what is none", source = "local t = {}\nreturn 'x' .. t", must = { raises =
    "main.lua:2: attempt to concatenate local 't' (a table value)" } },
  { name = "joins its text by a hook that never ends", must = { stops = "cpu_limit" },
    source = "return 'x' .. setmetatable({}, { __concat = function() while true do end end })" },
  { name = "calls methods of strings on what is none", must = { gives = { false, false, false, false } }, source = [[
    return (pcall(("x").rep)), (pcall(("x").sub, {})), (pcall(("x").upper, nil)), (pcall(("x").len, null))]] },
  { name = "splits a text with zeros in it", must = { gives = { 3, "b", 2 } },
    source = "local s = 'a\\0b' return #s, s:sub(3), (s:find('\\0', 1, true))" },
  { name = "makes many texts that hash alike", memory = 8 * MB, must = { gives = { 20000 } }, source = [[
    local t, n = {}, 0
    for i = 1, 20000 do
      local s = ("a"):rep(100) .. ("%06d"):format(i) .. ("z"):rep(100)
      if not t[s] then n = n + 1 end
      t[s] = true
    end
    return n]] },
  { name = "formats an address behind a width", must = { gives = { false, false, false } },
    source = [[
    return (pcall(string.format, '%20p', 'text')), (pcall(string.format, '%-5p', 'text')),
    (pcall(string.format, '%.3p', 'text'))]] },
  { name = "formats numbers that no integer holds",
    must = { gives = { "-9223372036854775808", "-9223372036854775808", "ffffffffffffffff" } },
    source = "return string.format('%d', 0/0), string.format('%d', -2^63), string.format('%x', -1)" },
  { name = "formats a number whose zeros are stripped beyond the buffer", must = { gives = { "5.5733e+120" } },
    source = "return (string.format('%7g', 0x1.144399609d407p+401):gsub('^ +', ''))" },
  { name = "formats the least number in hexadecimal with the largest precision", must = { gives = { true } },
    source = "return #string.format('%.99a', 5e-324) < 200 and #string.format('%99.99e', -1e-308) < 200" },
  { name = "is printed by a hook that waits at the door", must = { gives = { "a-later-b" } },
    source = [[
    local t = setmetatable({}, { __tostring = function() return door("echo", "later") end })
    return string.format("a-%s-b", t)]] },
  { name = "is printed by a hook that changes the other values", must = { gives = { "1 2 3" } }, source = [[
    local seen = {}
    local t = setmetatable({}, { __tostring = function() seen[1], seen[2] = nil, nil return "2" end })
    seen[1], seen[2] = 1, t
    return string.format("%s %s %s", seen[1], seen[2], 3)]] },
  { name = "quotes bytes of every kind", must = { gives = { '"\\\n\\13\\0\\"\\\\\255"' } },
    source = "return string.format('%q', '\\n\\r\\0\"\\\\\\255')" },
  { name = "repeats between two texts beyond all memory", memory = MB, must = { stops = "memory_limit" },
    source = "return #(''):rep(2^31 - 1, 'xx')" },
  { name = "joins two hundred long texts in one expression", memory = MB, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local s = ('x'):rep(10000) return #(" .. ("s .. "):rep(150) .. "s)" },
  { name = "compares long texts that are almost the same, for ever", must = { stops = "cpu_limit" }, memory = 8 * MB,
    source = "local a = ('x'):rep(1e6) local b, c, n = a .. 'a', a .. 'b', 0 while b < c do n = n + 1 end" },
}
