-- Close to the limits, but within them.

local MB = 1024 * 1024

return {
  { name = "keeps a table of most of its memory", memory = 2 * MB, must = { gives = { 100000 } },
    source = "local t = {} for i = 1, 100000 do t[i] = i end return #t" },
  { name = "keeps texts of most of its memory", memory = MB, cpu_ms = 5000, must = { gives = { 5000 } },
    source = "local t = {} for i = 1, 5000 do t[i] = ('x'):rep(80) .. i end return #t" },
  { name = "makes small garbage beside much that lives", memory = MB, cpu_ms = 10000, must = { gives = { 4000, 200000 } },
    source = [[
    local live, n = {}, 0
    for i = 1, 4000 do live[i] = { i, { i } } end
    for i = 1, 200000 do local garbage = { i } n = n + #garbage end
    return #live, n]] },
  { name = "makes garbage of texts beside much that lives", memory = MB, cpu_ms = 10000, must = { gives = { 50000 } },
    source = [[
    local live, n = {}, 0
    for i = 1, 4000 do live[i] = { i, { i } } end
    for i = 1, 50000 do local s = "text " .. i n = n + 1 end
    return n]] },
  { name = "makes large texts, one after the other", memory = MB, cpu_ms = 10000, must = { gives = { 200 } }, source = [[
    local n = 0
    for i = 1, 200 do local s = ("x"):rep(100000) .. i n = n + 1 end
    return n]] },
  { name = "appends to a text that grows", memory = MB, cpu_ms = 10000, must = { gives = { 60000 } },
    source = "local s = '' for i = 1, 3000 do s = s .. ('x'):rep(20) end return #s" },
  { name = "makes tables and coroutines that go", memory = MB, cpu_ms = 10000, must = { gives = { 3000 } }, source = [[
    local n = 0
    for i = 1, 3000 do
      local co = coroutine.wrap(function(...) local t = { ... } coroutine.yield(#t) end)
      n = n + co(i)
    end
    return n]] },
  { name = "is given large answers, one after the other", memory = MB, cpu_ms = 10000, must = { gives = { 100 } },
    source = "local n = 0 for i = 1, 100 do n = n + #door('x') / 100000 end return n",
    serve = function() return ("x"):rep(100000) end },
  { name = "computes for a while, preempted many times", cpu_ms = 20000, must = { gives = { 78498 } }, source = [[
    local n, composite = 0, {}
    for i = 2, 1000000 do
      if not composite[i] then
        n = n + 1
        for j = i * i, 1000000, i do composite[j] = true end
      end
    end
    return n]], memory = 64 * MB },
  { name = "is preempted in pcall in a coroutine in pcall", cpu_ms = 20000, must = { gives = { true, 3000000 } }, source = [[
    return pcall(function()
      return coroutine.wrap(function()
        local ok, n = pcall(function() local n = 0 for i = 1, 3000000 do n = n + 1 end return n end)
        return n
      end)()
    end)]] },
  { name = "is preempted in a comparator", cpu_ms = 20000, must = { gives = { true } }, source = [[
    local t = {}
    for i = 1, 2000 do t[i] = (i * 7919) % 2003 end
    table.sort(t, function(a, b) for _ = 1, 100 do end return a < b end)
    return t[1] < t[2000] ]] },
  { name = "nests coroutines as deep as they go", must = { gives = { 60 } },
    source = "local function f(n) if n == 60 then return n end return coroutine.wrap(f)(n + 1) end return f(0)" },
  { name = "returns as many values as may cross", must = { gives = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
    source = "return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16" },
  { name = "has a source of many lines", must = { gives = { 5000 } },
    source = "local n = 0\n" .. ("n = n + 1 -- and why\n"):rep(5000) .. "return n" },
}
