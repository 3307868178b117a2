-- Patterns: C code that runs without a hook, and callbacks from it.

return {
  { name = "recurses in the matcher", must = { gives = { false } },
    source = "return (pcall(string.find, ('a'):rep(300000), ('(.)'):rep(40)))" },
  { name = "matches a maximum of captures", must = { gives = { false } },
    source = "return (pcall(string.find, ('a'):rep(100), ('(a)'):rep(33)))" },
  { name = "closes captures that it has not opened", must = { gives = { true, false, false } },
    source = "return (pcall(string.find, 'a', 'a)')), (pcall(string.find, 'a', '(a')), (pcall(string.find, 'a', '%1'))" },
  { name = "ends a pattern in the middle", must = { gives = { false, false, false, false } },
    source = [[
    return (pcall(string.find, 'a', '%')), (pcall(string.find, 'a', '[')), (pcall(string.find, 'a', '[a-')),
    (pcall(string.find, 'a', '%b'))]] },
  { name = "refers to captures that are not there in gsub", must = { gives = { false } },
    source = "return (pcall(string.gsub, 'abc', 'a', '%9'))" },
  { name = "returns a table from a callback of gsub", must = { gives = { false } },
    source = "return (pcall(string.gsub, 'abc', '.', function() return {} end))" },
  { name = "runs for ever in a callback of gsub", must = { stops = "cpu_limit" },
    source = "return ('xxxx'):gsub('.', function() while true do end end)" },
  { name = "catches its stop in a callback of gsub", must = { stops = "cpu_limit" },
    source = "return (('x'):rep(1000)):gsub('.', function() pcall(function() while true do end end) end)" },
  { name = "runs for ever in the __index of a table of gsub", must = { stops = "cpu_limit" },
    source = "return ('xxxx'):gsub('.', setmetatable({}, { __index = function() while true do end end }))" },
  { name = "answers a callback of gsub from the door with what is no text", must = { gives = { false } },
    source = "return (pcall(string.gsub, 'x', 'x', function() return door('echo', {}) end))" },
  { name = "makes a text beyond all memory by gsub", memory = 1024 * 1024, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "return #(('x'):rep(10000)):gsub('x', ('y'):rep(10000))" },
  { name = "walks a text without advancing by gmatch", must = { gives = { 4 } },
    source = "local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n" },
  { name = "makes a class of many ranges", must = { gives = { 1 } },
    source = "return (('z'):find('[' .. ('a-b'):rep(20000) .. 'z]'))" },
  { name = "looks for a text in itself without end", must = { gives = { true } }, cpu_ms = 10000,
    source = "local s = ('a'):rep(100000) return s:find(('a'):rep(50000) .. 'b', 1, true) == nil" },
  { name = "matches balanced text without an end", must = { gives = {}, n = 1 },
    source = "return (('('):rep(5000)):match('%b()')" },
  { name = "starts behind the text", must = { gives = { false } },
    source = [[
    local s = "abc"
    return s:find("", 10) ~= nil and s:find("", 2^53) ~= nil and s:find("", 0/0) ~= nil and s:match("x", -2^53) ~= nil]] },
  { name = "backtracks without end in find", must = { stops = "cpu_limit" },
    source = "return (('a'):rep(1000)):find(('.-'):rep(20) .. 'b')" },
  { name = "backtracks without end in match", must = { stops = "cpu_limit" },
    source = "return (('a'):rep(5000)):match(('a*'):rep(20) .. 'b')" },
  { name = "backtracks without end in gmatch", must = { stops = "cpu_limit" },
    source = "for _ in (('a'):rep(1000)):gmatch(('a-'):rep(20) .. 'b') do end" },
  { name = "backtracks without end in gsub", must = { stops = "cpu_limit" },
    source = "return (('a'):rep(1000)):gsub(('a?'):rep(30) .. ('.-'):rep(20) .. 'b', 'x')" },
  { name = "backtracks without end and catches it", must = { stops = "cpu_limit" },
    source = "while true do pcall(string.find, ('a'):rep(1000), ('.-'):rep(20) .. 'b') end" },
  { name = "uses sets with ends in odd places", must = { gives = { 1, 1, 1, 2, 2 } },
    source = [=[
    return (("-"):find("[a-]")), (("]"):find("[]]")), (("a"):find("[^]]")), (("a\0"):find("%z")),
      (("aTHE"):find("%f[%u]%u+"))]=] },
  { name = "balances one character with itself", must = { gives = { "xabx", 5 } },
    source = "return ('xabx'):match('%bxx'), ('xabxcx'):match('%bxx()')" },
  { name = "replaces no more than no number of times", must = { gives = { "aaa", 0, "aaa", 0 } },
    source = "local a, n = ('aaa'):gsub('a', 'b', -1) local b, m = ('aaa'):gsub('a', 'b', 0/0) return a, n, b, m" },
  { name = "replaces an anchor over and over", must = { gives = { "xaaa", 1, "-a-b-", 3 } },
    source = "local a, n = ('aaa'):gsub('^', 'x') local b, m = ('ab'):gsub('', '-') return a, n, b, m" },
  { name = "replaces by a text that ends in the middle", must = { gives = { true, false, "a0" } },
    source = "return (pcall(string.gsub, 'a', 'a', '%')), (pcall(string.gsub, 'a', '(a)', '%2')), (('a'):gsub('a', '%10'))" },
  { name = "goes on with an iterator of gmatch after its end", must = { gives = { 0 } }, source = [[
    local it, n = ("abc"):gmatch("."), 0
    for _ = 1, 3 do it() end
    for i = 1, 1000 do if it(i, "x", {}) then n = n + 1 end end
    return n]] },
  { name = "shares an iterator of gmatch between coroutines", must = { gives = { "1 2 3 4 " } }, source = [[
    local it, out = ("1 2 3 4"):gmatch("%d"), ""
    local function turn() for d in it do out = out .. d .. " " coroutine.yield() end end
    local a, b = coroutine.create(turn), coroutine.create(turn)
    while coroutine.status(a) ~= "dead" or coroutine.status(b) ~= "dead" do
      coroutine.resume(a) coroutine.resume(b)
    end
    return out]] },
  { name = "replaces in a callback what it is called for", must = { gives = { "[b][b]", 2 } }, source = [[
    local depth = 0
    local function f(s)
      depth = depth + 1
      local inner = depth < 40 and s:gsub(".", f) or "b"
      depth = depth - 1
      return depth == 0 and "[" .. inner .. "]" or inner
    end
    return ("aa"):gsub("a", f)]] },
  { name = "calls the step of a gsub that has ended by an error again", must = { gives = { false, "ok", 1 } }, source = [[
    local failed = pcall(string.gsub, "abc", ".", function() error "mine" end)
    local text, n = ("a"):gsub("a", function() return "ok" end)
    return failed, text, n]] },
  { name = "backtracks without end where nothing can be interrupted", must = { stops = "cpu_limit" }, source = [[
    return tostring(setmetatable({}, { __tostring = function()
      while true do pcall(string.find, ("a"):rep(1000), (".-"):rep(20) .. "b") end
    end }))]] },
  { name = "matches with a pattern of zeros", must = { gives = { 1, 0, 1 } },
    source = "local s = 'a\\0\\0b' local from, to = s:find('\\0+') return from, to, select(2, s:gsub('%z%z', ''))" },
  { name = "uses a pattern as long as a source may be", must = { gives = { 1 } }, memory = 8 * 1024 * 1024, cpu_ms = 10000,
    source = "return (('a'):rep(262144):find(('a'):rep(262140)))" },
  { name = "uses a pattern that is longer", must = { gives = { false } }, memory = 8 * 1024 * 1024,
    source = "return (pcall(string.find, 'a', ('a?'):rep(131073)))" },
}
