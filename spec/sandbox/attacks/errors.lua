-- Error handling: catching one's own end, running code in handlers, errors that are more than a text.

return {
  { name = "catches the end of its time with pcall", must = { stops = "cpu_limit" },
    source = "while true do pcall(function() while true do end end) end" },
  { name = "catches the end of its time with xpcall", must = { stops = "cpu_limit" },
    source = "while true do xpcall(function() while true do end end, function() return 'caught' end) end" },
  { name = "runs for ever in an error handler", must = { stops = "cpu_limit" },
    source = "xpcall(error, function() while true do end end)" },
  { name = "runs for ever in the handler of its stop", must = { stops = "cpu_limit" },
    source = "xpcall(function() while true do end end, function() while true do end end)" },
  { name = "answers its stop with a result", must = { stops = "cpu_limit" },
    source = "local ok = pcall(function() while true do end end) return 'survived', ok" },
  { name = "answers its stop inside a comparator with a result", must = { stops = "cpu_limit" }, source = [[
    pcall(table.sort, { 3, 1, 2 }, function(a, b) while true do end end)
    return "survived"]] },
  { name = "catches its stop at every level of a comparator", must = { stops = "cpu_limit" }, source = [[
    local function deep(n)
      if n == 0 then while true do end end
      pcall(deep, n - 1)
      while true do end
    end
    table.sort({ 3, 1, 2 }, function(a, b) deep(50) return a < b end)
    return "survived"]] },
  { name = "catches the end of its memory", memory = 1024 * 1024, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local ok = pcall(string.rep, 'x', 1e9) return 'survived'" },
  { name = "catches the end of its memory with xpcall, and goes on", memory = 1024 * 1024,
    must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "while true do xpcall(function() local t = {} while true do t = { t } end end, function() end) end" },
  { name = "raises an error in an error handler", must = { gives = { false, "error in error handling" } },
    source = "return xpcall(error, function() error 'again' end)" },
  { name = "handles errors with a handler that fails, without end",
    must = { gives = { true, false, "error in error handling" } }, source = [[
    local function handler() error({}) end
    return xpcall(function() return xpcall(error, handler) end, handler)]] },
  { name = "uses no function as a handler", source = "local ok = xpcall(error, {})",
    must = { raises = "main.lua:1: bad argument #2 to 'xpcall' (function expected, got table)" } },
  { name = "calls xpcall without a handler", source = "local ok = xpcall(error)",
    must = { raises = "main.lua:1: bad argument #2 to 'xpcall' (function expected, got nil)" } },
  { name = "nests pcall in pcall, a shape that corrupts the stock one",
    must = { gives = { true, true, true, false, "attempt to call a nil value" } },
    source = "return pcall(pcall, pcall, pcall)" },
  { name = "passes pcall through coroutine.wrap", must = { gives = { true, true, 7 } },
    source = "return coroutine.wrap(pcall)(coroutine.wrap(pcall), function() return 7 end)" },
  { name = "calls pcall by a __call of pcall", must = { gives = { true } }, source = [[
    local t = setmetatable({}, { __call = pcall })
    return select("#", t({})) > 100]] },
  { name = "calls pcall with many values",
    source = "return select('#', pcall(function(...) return ... end, unpack({}, 1, 7000)))",
    must = { gives = { 7001 } } },
  { name = "recurses in pcall to the end of the stack", must = { gives = { "string" } }, source = [[
    local deepest
    local function f() local ok, err = pcall(f) if not ok and not deepest then deepest = err end end
    f()
    return type(deepest)]] },
  { name = "raises no value", source = "error()", must = { raises = "error value of type nil" } },
  { name = "raises a function", source = "error(function() end)", must = { raises = "error value of type function" } },
  { name = "raises a coroutine", source = "error(coroutine.create(function() end))",
    must = { raises = "error value of type thread" } },
  { name = "raises a text of many bytes", source = "error(('x'):rep(1e6), 0)", must = { raises = ("x"):rep(255) } },
  { name = "raises bytes that are no text", source = "error('\\255\\254\\0x', 0)", must = { raises = "??" } },
  { name = "raises with a level that is no level",
    source = "local ok, a = pcall(error, 'x', 1e300) local _, b = pcall(error, 'x', 0/0) " ..
    "local _, c = pcall(error, 'x', -1) return a, b, c", must = { gives = { "x", "x", "x" } } },
  { name = "raises a number when there is no memory left to print it", memory = 512 * 1024,
    must = { stops = "memory_limit" }, cpu_ms = 5000, source = [[
    local t, n = {}, 0
    pcall(function() while true do n = n + 1 t[n] = ("x"):rep(20) .. n end end)
    error(n + 0.123)]] },
  { name = "asserts with a table of its own",
    source = "assert(false, setmetatable({}, { __tostring = function() return 'x' end }))",
    must = { raises = "error value of type table" } },
  { name = "names a line of the host in its error", source = "error('sandbox:1: forged', 0)",
    must = { raises = "sandbox:1: forged" } },
  { name = "hides behind two hundred levels of pcall", must = { stops = "cpu_limit" },
    source = "local function deep(n) if n == 0 then while true do end end while true do pcall(deep, n - 1) end end deep(190)" },
  { name = "hides behind pcalls of pcalls", must = { stops = "cpu_limit" },
    source = "while true do pcall(" .. ("pcall, "):rep(180) .. "function() while true do end end) end" },
  { name = "uses a printer that never ends as its error handler", must = { stops = "cpu_limit" },
    source = "xpcall(error, tostring, setmetatable({}, { __tostring = function() while true do end end }))" },
  { name = "uses a coroutine as its error handler", must = { gives = { false, "handled", 2 } }, source = [[
    local n = 0
    local handler = coroutine.wrap(function(e) while true do n = n + 1 coroutine.yield("handled") end end)
    xpcall(error, handler, "x")
    local ok, v = xpcall(error, handler, "x")
    return ok, v, n]] },
  { name = "uses the door as its error handler", must = { gives = { false, "x" } }, asked = { { "echo", "x" } },
    source = "return xpcall(error, function(e) return door('echo', e) end, 'x')" },
  { name = "overflows the stack in its error handler", must = { gives = { false, "error in error handling" } },
    source = "local function f() return 1 + f() end return xpcall(error, f)" },
  { name = "raises what was raised at it, without end", must = { stops = "cpu_limit" },
    source = "local ok, e = pcall(error, {}) while true do ok, e = pcall(error, e) end" },
  { name = "raises an error with a level inside a coroutine", must = { gives = { "main.lua:2: x", "x" } }, source = [[
    local function f(level) error("x", level) end
    local _, a = coroutine.resume(coroutine.create(function() f(2) end))
    local _, b = coroutine.resume(coroutine.create(f), 2)
    return a, b]] },
}
