-- Texts: what bots do all day.

return {
  { name = "builds a long text from pieces", must = { gives = { 48894 } }, source = [[
    local t = {}
    for i = 1, 10000 do t[#t + 1] = tostring(i) end
    return #table.concat(t, ",") + 1]] },
  { name = "joins texts in a loop", must = { gives = { 2000 } },
    source = "local s = '' for i = 1, 2000 do s = s .. 'x' end return #s" },
  { name = "splits a text", must = { gives = { { "a", "b", "", "c" } } }, source = [[
    local out = {}
    for item in ("a,b,,c,"):gmatch "(.-)," do out[#out + 1] = item end
    return out]] },
  { name = "trims a text", must = { gives = { "a b" } },
    source = "return ((' \\t a b \\n'):gsub('^%s+', ''):gsub('%s+$', ''))" },
  { name = "fills in a template", must = { gives = { "Dear Ann, you owe 5 EUR {x}" } }, source = [[
    local values = { name = "Ann", sum = 5 }
    return (("Dear {name}, you owe {sum} EUR {x}"):gsub("{(%w+)}", function(k) return values[k] and tostring(values[k]) end))]] },
  { name = "fills in a template from a table", must = { gives = { "1-2-$c" } }, source =
    "return (('$a-$b-$c'):gsub('%$(%w)', { a = 1, b = '2' }))" },
  { name = "reads a command and its arguments", must = { gives = { "order", "42", "two" } }, source =
    "return ('/order 42 two'):match '^/(%w+)%s+(%d+)%s+(%w+)$'" },
  { name = "reads an address", must = { gives = { "ann", "shop.example" } },
    source = "return ('ann@shop.example'):match '^([%w.]+)@([%w.]+)$'" },
  { name = "reads a date", must = { gives = { 2026, 11, 21 } }, source = [[
    local y, m, d = ("on 2026-11-21, at noon"):match "(%d%d%d%d)-(%d%d)-(%d%d)"
    return tonumber(y), tonumber(m), tonumber(d)]] },
  { name = "counts words", must = { gives = { 2, 1, 3 } }, source = [[
    local n = {}
    for w in ("the cat and the dog and the bird"):gmatch "%a+" do n[w] = (n[w] or 0) + 1 end
    return n["and"], n.cat, n.the]] },
  { name = "finds balanced brackets", must = { gives = { "(b(c))" } }, source = "return ('a(b(c))d'):match '%b()'" },
  { name = "finds plain text with magic characters", must = { gives = { 3, 5 } },
    source = "return ('a.%d+b'):find('%d+', 1, true)" },
  { name = "finds places by position captures", must = { gives = { 3, 5 } }, source = "return ('ab12cd'):match '()%d%d()'" },
  { name = "finds words at a frontier", must = { gives = { "THE", 1 } },
    source = "return ('THE (quick) fox'):gsub('%f[%a]quick%f[%A]', '') and 'THE', 1" },
  { name = "repeats captures", must = { gives = { "xyxy", 1 } }, source = "return ('xy'):gsub('(.)(.)', '%1%2%0')" },
  { name = "replaces a number of times", must = { gives = { "bbaa", 2 } }, source = "return ('aaaa'):gsub('a', 'b', 2)" },
  { name = "formats numbers, texts and tables", must = { gives = { "  42|3.14|ff|x|table|true|\"q\\\n\"" } }, source =
    "return ('%4d|%.2f|%x|%s|%s|%s|%q'):format(42, 3.14159, 255, 'x', {}, true, 'q\\n')" },
  { name = "formats what prints itself", must = { gives = { "<p 1>" } }, source = [[
    local P = { __tostring = function(p) return "<p " .. p.n .. ">" end }
    return ("%s"):format(setmetatable({ n = 1 }, P))]] },
  { name = "pads and repeats", must = { gives = { "=====", "a--", "-,-,-" } },
    source = "return ('='):rep(5), 'a' .. ('-'):rep(2), ('-'):rep(3, ',')" },
  { name = "turns texts to numbers", must = { gives = { 255, 10, 1000, 0.5 } },
    source = "return tonumber('0xff'), tonumber('1010', 2), tonumber('1e3'), tonumber(' .5 ')" },
  { name = "works with bytes", must = { gives = { "olleh", "HELLO", 5, 104, "hi" } },
    source = "local s = 'hello' return s:reverse(), s:upper(), #s, s:byte(), string.char(104, 105)" },
  { name = "counts and cuts texts of all alphabets", must = { gives = { 6, "рив", 9, "😀" } }, source =
    "return utf8.len 'привіт', utf8.sub('привіт', 2, 4), #utf8.char(0x1F600, 0x20AC, 0xE4), utf8.char(0x1F600)" },
  { name = "walks the characters of a text", must = { gives = { { 1087, 8364, 128512 }, { 1, 3, 6 } } }, source = [[
    local codes, places = {}, {}
    for at, code in utf8.codes "п€😀" do codes[#codes + 1] = code places[#places + 1] = at end
    return codes, places]] },
  { name = "takes code points apart", must = { gives = { 97, 1073, 99 } }, source = "return utf8.codepoint('aбc', 1, -1)" },
  { name = "finds out that a text is no UTF-8", must = { gives = { "nil", 2 } },
    source = "local n, at = utf8.len('a\\255') return tostring(n), at" },
  { name = "splits a text into characters by utf8.charpattern", must = { gives = { 3, "б" } }, source = [[
    local out = {}
    for c in ("aб€"):gmatch(utf8.charpattern) do out[#out + 1] = c end
    return #out, out[2] ]] },
  { name = "escapes HTML", must = { gives = { "&lt;b&gt; &amp; &quot;" } }, source = [[
    local map = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ['"'] = "&quot;" }
    return (('<b> & "'):gsub('[<>&"]', map))]] },
  { name = "encodes a URL", must = { gives = { "a%20b%26c" } }, source =
    "return (('a b&c'):gsub('[^%w]', function(c) return ('%%%02X'):format(c:byte()) end))" },
}
