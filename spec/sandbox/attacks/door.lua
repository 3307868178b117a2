-- The door: what a plugin hands to the host, and what it makes of answers.

local function nested(n) return ("{"):rep(n) .. ("}"):rep(n) end

return {
  { name = "hands over a function", source = "return door('x', function() end)",
    must = { ends = "invalid", says = "$: a function cannot cross" } },
  { name = "hands over a function deep inside", source = "return door('x', { a = { b = { pcall } } })",
    must = { ends = "invalid", says = "$.a.b[1]: a function cannot cross" } },
  { name = "hands over a coroutine", source = "return door('x', { coroutine.create(function() end) })",
    must = { ends = "invalid", says = "$[1]: a thread cannot cross" } },
  { name = "hands over a library", source = "return door('x', string)",
    must = { ends = "invalid", says = "$: a table with a metatable cannot cross" } },
  { name = "hands over _G", source = "return door('x', { _G })",
    must = { ends = "invalid", says = "$[1]: a table with a metatable cannot cross" } },
  { name = "hands over a metatable that denies itself", source = "return door('x', setmetatable({}, { __metatable = false }))",
    must = { ends = "invalid", says = "$: a table with a metatable cannot cross" } },
  { name = "hands over a cycle", source = "local t = {} t.t = t return door('x', t)",
    must = { ends = "too_large", says = "nested too deep, or a cycle" } },
  { name = "hands over two tables that hold each other",
    source = "local a, b = {}, {} a.b, b.a = b, a return door('x', { a, b })",
    must = { ends = "too_large", says = "nested too deep, or a cycle" } },
  { name = "hands over what is nested too deep", source = "return door('x', " .. nested(33) .. ")",
    must = { ends = "too_large", says = "nested too deep" } },
  { name = "hands over what is nested as deep as it may be",
    source = "local t = door('x', " .. nested(32) .. ") return type(t)",
    must = { gives = { "table" } } },
  { name = "hands over too many values", source = "local t = {} for i = 1, 70000 do t[i] = i end return door('x', t)",
    must = { ends = "too_large", says = "$: too many values" } },
  { name = "hands over a small table that unfolds without end", must = { ends = "too_large", says = "too many values" },
    source = "local t = {} for i = 1, 30 do t = { t, t } end return door('x', t)" },
  { name = "hands over too many bytes", source = "return door('x', ('x'):rep(2^20 + 1))",
    must = { ends = "too_large", says = "too many bytes of text" } },
  { name = "hands over too many bytes in small pieces",
    source = "local s = ('x'):rep(1000) local t = {} for i = 1, 1100 do t[i] = s end return door('x', t)",
    must = { ends = "too_large", says = "too many bytes of text" } },
  { name = "hands over more arguments than may cross", source = "return door('x', unpack({}, 1, 100))",
    must = { ends = "invalid_response", says = "101 values, at most 16 may cross" } },
  { name = "hands over more arguments than a stack holds", must = { ends = "invalid_response", says = "at most 16 may cross" },
    source = "return door('x', unpack({}, 1, 7000))" },
  { name = "hands over a table as a key", source = "return door('x', { [{}] = 1 })",
    must = { ends = "invalid", says = "$: a table as a key cannot cross" } },
  { name = "hands over a boolean as a key", source = "return door('x', { [true] = 1 })",
    must = { ends = "invalid", says = "$: a boolean as a key cannot cross" } },
  { name = "hands over null as a key", source = "return door('x', { [null] = 1 })",
    must = { ends = "invalid", says = "$: a userdata as a key cannot cross" } },
  { name = "hands over a key that is an unprintable path", source = "return door('x', { ['\\255\\0\\27[2J'] = pcall })",
    must = { ends = "invalid", says = "a function cannot cross" } },
  { name = "hands over no numbers", source = "local a, b, c = door('x', 0/0, 1/0, -1/0) return a ~= a, b, c",
    must = { gives = { true, math.huge, -math.huge } } },
  { name = "hands over keys that are far numbers",
    source = "local t = door('x', { [2^53] = 1, [-1] = 2, [0.5] = 3, [-1/0] = 4 }) return t[2^53], t[-1], t[0.5], t[-1/0]",
    must = { gives = { 1, 2, 3, 4 } } },
  { name = "hands over a text with zeros in it", source = "return door('x', 'a\\0b')", must = { gives = { "a\0b" } },
    asked = { { "x", "a\0b" } } },
  { name = "hands over a name of the service that is none", source = "local x = door(1)", must = { raises =
    "main.lua:1: bad argument #1 to 'door' (string expected, got number)" } },
  { name = "calls the door with nothing", source = "local x = door()",
    must = { raises = "main.lua:1: bad argument #1 to 'door' (string expected, got no value)" } },
  { name = "changes what the host has been given", must = { gives = { 1 } }, asked = { { "x", { 1 } }, { "x", { 2 } } },
    source = "local t = { 1 } local back = door('x', t) t[1] = 2 door('x', t) return back[1]" },
  { name = "changes what the host has answered", must = { gives = { "answer" } },
    source = "local t = door('x') t[1] = 'changed' return door('x')[1]",
    serve = (function() local kept = { "answer" } return function() return kept end end)() },
  { name = "gets an answer with a metatable of the host",
    must = { ends = "invalid", says = "a table with a metatable cannot cross" },
    source = "return door('x')", serve = function() return setmetatable({}, { __index = _G }) end },
  { name = "gets a function of the host", must = { ends = "invalid", says = "a function cannot cross" },
    source = "return door('x')", serve = function() return print end },
  { name = "calls the door in a metamethod", must = { gives = { "k", 7 } },
    source = [[
    local t = setmetatable({}, { __index = function(_, k) return door('x', k) end, __add = function(a, b)
    return door('x', b) end }) return t.k, t + 7]] },
  { name = "calls the door in tostring", must = { gives = { "text" } },
    source = "return tostring(setmetatable({}, { __tostring = function() return door('x', 'text') end }))" },
  { name = "calls the door as an iterator", must = { gives = { 3 } },
    source = [[
    local n = 0 for i in function(_, i) return door('x', (i or 0) + 1) end do n = i if i == 3 then break end
    end return n]] },
  { name = "calls the door as the body of a coroutine", must = { gives = { true, "x" } },
    source = "return coroutine.resume(coroutine.create(door), 'echo', 'x')" },
  { name = "catches the refusal of its arguments", must = { ends = "invalid", says = "$: a function cannot cross" },
    source = "while true do pcall(door, 'x', pcall) end" },
  { name = "returns what cannot cross", source = "return { { a = pcall } }",
    must = { ends = "invalid", says = "$[1].a: a function cannot cross" } },
  { name = "returns more values than may cross", source = "return unpack({}, 1, 17)",
    must = { ends = "invalid_response", says = "17 values, at most 16 may cross" } },
  { name = "hands over a number and a text as the same key", must = { gives = { 2, 1 } },
    source = "local t = door('x', { ['1'] = 1, [1] = 2 }) return t[1], t['1']" },
  { name = "hands over a list with a hole far away", must = { gives = { 1, 2, 3 } },
    source = "local t = door('x', { 1, nil, 2, [2^31] = 3 }) return t[1], t[3], t[2^31]" },
  { name = "hands over bytes that are no text", must = { gives = { "\255\254\0\237\160\128" } },
    source = "return door('x', '\\255\\254\\0\\237\\160\\128')" },
  { name = "hands over a key of a megabyte", must = { ends = "too_large", says = "too many bytes of text" },
    source = "return door('x', { [('k'):rep(2^20 + 1)] = 1 })" },
  { name = "calls a service with a name of a megabyte", must = { ends = "too_large", says = "too many bytes of text" },
    source = "return door(('x'):rep(2^20 + 1))" },
  { name = "calls the door in a comparator, a callback, a handler and an iterator at once",
    must = { gives = { "a", 8 } }, source = [[
    local n = 0
    local function ask(v) n = n + 1 return door("echo", v) end
    table.sort({ 2, 1 }, function(a, b) return ask(a) < ask(b) end)
    ;("ab"):gsub(".", ask)
    xpcall(error, ask, "x")
    for v in function(_, i) return ask((i or 0) + 1) end do if v == 3 then break end end
    return ask("a"), n - 1]] },
  { name = "calls the door sixty coroutines deep", must = { gives = { "deep" } }, source = [[
    local function nest(n)
      if n == 0 then return door("echo", "deep") end
      return coroutine.wrap(nest)(n - 1)
    end
    return nest(60)]] },
  { name = "changes its arguments while the service has them", must = { gives = { 1, 9 } },
    source = "local shared = require 'shared' return shared(...)", lib = { shared = [[
      local t = { 1 }
      return function(change)
        if change then t[1] = 9 return end
        return door("x", t)[1], t[1]
      end]] },
    play = function(sb)
      local kind, call, _, given = sb:start("main", 1000, 20)
      assert(kind == "door" and given[1] == 1)
      assert(sb:start("main", 1000, 20, true) == "done")
      return call:answer(given)
    end },
}
