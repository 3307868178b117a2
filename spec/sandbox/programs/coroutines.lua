-- Coroutines, with and without pcall and the door.

return {
  { name = "generates values", must = { gives = { 1 + 1 + 2 + 3 + 5 + 8 } }, source = [[
    local function fib(n)
      return coroutine.wrap(function()
        local a, b = 0, 1
        for _ = 1, n do a, b = b, a + b coroutine.yield(a) end
      end)
    end
    local sum = 0
    for v in fib(6) do sum = sum + v end
    return sum]] },
  { name = "generates values inside pcall", must = { gives = { true, 6 } }, source = [[
    return pcall(function()
      local gen = coroutine.wrap(function() for i = 1, 3 do pcall(coroutine.yield, i) end end)
      return gen() + gen() + gen()
    end)]] },
  { name = "walks a tree by a recursive generator", must = { gives = { "1 2 3 4 5" } }, source = [[
    local tree = { { { nil, 1 }, 2, { nil, 3 } }, 4, { nil, 5 } }
    local function walk(t)
      if t == nil then return end
      walk(t[1])
      coroutine.yield(t[2])
      walk(t[3])
    end
    local out = {}
    for v in coroutine.wrap(function() walk(tree) end) do out[#out + 1] = v end
    return table.concat(out, " ")]] },
  { name = "passes values in both directions", must = { gives = { true, 1, true, 12, true, "end", "dead" } }, source = [[
    local co = coroutine.create(function(a) local b = coroutine.yield(a) coroutine.yield(b + 2) return "end" end)
    local a, b = coroutine.resume(co, 1)
    local c, d = coroutine.resume(co, 10)
    local e, f = coroutine.resume(co)
    return a, b, c, d, e, f, coroutine.status(co)]] },
  { name = "permutes a list", must = { gives = { 24, "4321" } }, source = [[
    local function permute(t, n)
      n = n or #t
      if n <= 1 then coroutine.yield(table.concat(t)) return end
      for i = 1, n do
        t[i], t[n] = t[n], t[i]
        permute(t, n - 1)
        t[i], t[n] = t[n], t[i]
      end
    end
    local n, seen = 0, {}
    for p in coroutine.wrap(function() permute { 1, 2, 3, 4 } end) do n = n + 1 seen[p] = true end
    return n, seen["4321"] and "4321"]] },
  { name = "lets a producer and a consumer take turns", must = { gives = { "a1 b2 c3" } }, source = [[
    local producer = coroutine.create(function() for _, v in ipairs { "a", "b", "c" } do coroutine.yield(v) end end)
    local out, n = {}, 0
    while true do
      local _, v = coroutine.resume(producer)
      if v == nil then break end
      n = n + 1
      out[n] = v .. n
    end
    return table.concat(out, " ")]] },
  { name = "runs a scheduler of its own", must = { gives = { "a1 b1 a2 b2 a3" } }, source = [[
    local log = {}
    local function job(name, n)
      return coroutine.create(function() for i = 1, n do log[#log + 1] = name .. i coroutine.yield() end end)
    end
    local queue = { job("a", 3), job("b", 2) }
    while #queue > 0 do
      local co = table.remove(queue, 1)
      coroutine.resume(co)
      if coroutine.status(co) ~= "dead" then queue[#queue + 1] = co end
    end
    return table.concat(log, " ")]] },
  { name = "catches the error of a coroutine", must = { gives = { false, "main.lua:1: inside", false, "main.lua:2: outside" } },
    source = [[
local ok, err = coroutine.resume(coroutine.create(function() error "inside" end))
local ok2, err2 = pcall(coroutine.wrap(function() error "outside" end)) return ok, err, ok2, err2]] },
  { name = "raises error objects through coroutines", must = { gives = { 7 } }, source = [[
    local ok, err = pcall(coroutine.wrap(function() coroutine.wrap(function() error { code = 7 } end)() end))
    return err.code]] },
  { name = "yields out of an iterator, a metamethod and a hook of tostring", must = { gives = { { 1, 2, 3 } } }, source = [[
    local y = coroutine.yield
    local o = setmetatable({}, { __index = function() y(2) end, __tostring = function() y(3) return "o" end })
    local out = {}
    for v in coroutine.wrap(function()
      for _ in function() y(1) end do end
      local _ = o.x
      tostring(o)
    end) do out[#out + 1] = v end
    return out]] },
  { name = "uses coroutine.wrap inside pcall inside a comparator's data", must = { gives = { { 1, 2, 3 } } }, source = [[
    local rank = {}
    local numbers = coroutine.wrap(function() for i, v in ipairs { 3, 1, 2 } do pcall(coroutine.yield, v, i) end end)
    for i, v in numbers do rank[i] = v end
    local t = { 3, 2, 1 }
    table.sort(t, function(a, b) return a < b and rank[a] ~= nil end)
    return t]] },
  { name = "asks which coroutine runs", must = { gives = { "nil", "thread", true, false, true } }, source = [[
    local main = tostring((coroutine.running()))
    local co
    co = coroutine.create(function()
      return type(coroutine.running()), coroutine.running() == co, coroutine.isyieldable()
    end)
    local _, kind, same, yieldable = coroutine.resume(co)
    return main, kind, same, coroutine.isyieldable(), yieldable]] },
  { name = "makes many coroutines, one after the other", must = { gives = { 5000 } }, source = [[
    local n = 0
    for i = 1, 5000 do
      local co = coroutine.wrap(function() coroutine.yield(0) return 1 end)
      n = n + co() + co()
    end
    return n]] },
  { name = "waits at the door inside a generator", must = { gives = { 6 } }, source = [[
    local pages = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(door("page", i)) end end)
    return pages() + pages() + pages()]], asked = { { "page", 1 }, { "page", 2 }, { "page", 3 } } },
}
