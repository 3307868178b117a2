-- os and utf8: C that reads formats and dates, and Lua that reads bytes.

return {
  { name = "formats a date with conversions that are none", must = { gives = { false, false, false } },
    source = "return (pcall(os.date, '%')), (pcall(os.date, '%Q')), (pcall(os.date, '%Ez'))" },
  { name = "formats a date with a width", must = { gives = { false } }, source = "return (pcall(os.date, '%999999999d'))" },
  { name = "formats a date with odd bytes", must = { gives = { false, 1 } },
    source = "return (pcall(os.date, '%\\255')), #os.date('\\255')" },
  { name = "formats a date with a zero in the format", must = { gives = { "a" } }, source = "return os.date('a\\0b')" },
  { name = "formats a date with a format of many bytes", must = { gives = { false } },
    source = "return (pcall(os.date, ('%c'):rep(100000)))" },
  { name = "asks for the date of no number", must = { gives = { false, false, false } },
    source = "return (pcall(os.date, '*t', 0/0)), (pcall(os.date, '*t', 1/0)), (pcall(os.date, '*t', -1/0))" },
  { name = "asks for a date beyond the calendar", must = { gives = { false, false } },
    source = "return (pcall(os.date, '*t', 1e300)), (pcall(os.date, '%c', -1e15))" },
  { name = "gives a date that is no date", must = { gives = { false, false, false } },
    source = "return (pcall(os.date, {})), (pcall(os.date, '%c', {})), (pcall(os.date, '%c', 'x'))" },
  { name = "gives a time with fields that are no numbers", must = { gives = { false, false, false } }, source = [[
    return (pcall(os.time, { year = 0/0, month = 1, day = 1 })), (pcall(os.time, { year = 1e300, month = 1, day = 1 })),
      (pcall(os.time, { year = "x", month = 1, day = 1 }))]] },
  { name = "gives a time without a day", source = "local t = os.time({ year = 2026, month = 1 })", must = { raises =
    "main.lua:1: bad argument #1 to 'time' (field 'day': a number expected, got nil)" } },
  { name = "gives a time that is no table", source = "local t = os.time('x')", must = { raises =
    "main.lua:1: bad argument #1 to 'time' (table expected, got string)" } },
  { name = "gives a time whose fields are hooks that never end", must = { stops = "cpu_limit" },
    source = "return os.time(setmetatable({}, { __index = function() while true do end end }))" },
  { name = "gives a time whose fields swallow their stop", must = { stops = "cpu_limit" },
    source = [[
    return os.time(setmetatable({}, { __index = function() pcall(function() while true do end end) return 1
    end }))]] },
  { name = "takes the difference of what are no times", source = "local d = os.difftime('a', {})", must = { raises =
    "main.lua:1: bad argument #1 to 'difftime' (number expected, got string)" } },
  { name = "learns where the host stands from its clock", must = { gives = { "GMT", "+0000", true } },
    source = "return os.date('%Z'), os.date('%z'), os.time(os.date('*t', 86400)) == 86400" },
  { name = "counts the characters of what is no text", source = "local n = utf8.len({})", must = { raises =
    "main.lua:1: bad argument #1 to 'len' (string expected, got table)" } },
  { name = "makes characters beyond Unicode", must = { gives = { false, false, false, false, false } }, source = [[
    return (pcall(utf8.char, 0x110000)), (pcall(utf8.char, -1)), (pcall(utf8.char, 0/0)),
      (pcall(utf8.char, 1.5)), (pcall(utf8.char, 0xD800))]] },
  { name = "makes more characters than a stack holds", must = { gives = { false } },
    source = "return (pcall(utf8.codepoint, ('x'):rep(1e5), 1, -1))" },
  { name = "walks characters that are none", must = { raises = "main.lua:1: invalid UTF-8 at byte 2" },
    source = "for _ in utf8.codes('a\\255') do end" },
  { name = "walks a text from a place that is none", must = { gives = { false, false } },
    source = "local f = utf8.codes('абв') return (pcall(f, 'абв', 2)), (pcall(f, 'абв', 0/0))" },
  { name = "goes on with a walk from a text that is a place, and from none", must = { gives = {
      "main.lua:2: bad argument #2 to 'codes' (number expected, got string)",
      "main.lua:2: bad argument #1 to 'codes' (string expected, got number)" } }, source = [[
    local f = utf8.codes('abc')
    local function at(s, i) return select(2, pcall(function() local _, c = f(s, i) return c end)) end
    return at('abc', '1'), at(7, 0)]] },
  { name = "walks what is no text", source = "for _ in utf8.codes(nil) do end", must = { raises =
    "main.lua:1: bad argument #1 to 'codes' (string expected, got nil)" } },
  { name = "takes overlong and half characters for characters", must = { gives = {}, n = 4 }, source = [[
    return (utf8.len("\192\128")), (utf8.len("\237\160\128")), (utf8.len("\244\144\128\128")), (utf8.len("\226\130"))]] },
  { name = "takes places of a text that are not there", must = { gives = { "", "", "" } },
    source = "return utf8.sub('абв', 10, 20), utf8.sub('абв', 2^53), utf8.sub('абв', 3, -2^53)" },
  { name = "asks for the seconds of the host's own zone", must = { gives = { false, false } },
    source = "return (pcall(os.date, '%s')), (pcall(os.date, '%k'))" },
  { name = "gives a time with months beyond all years", must = { gives = { true, false } },
    source = "local t = os.time { year = 2026, month = 1e8, day = 1 } return t > 0, (pcall(os.date, '%c', t))" },
  { name = "gives a time of texts that are numbers", must = { raises =
    "main.lua:1: bad argument #1 to 'time' (field 'year': a number expected, got string)" },
    source = "local t = os.time { year = '2026', month = '1', day = '1' }" },
}
