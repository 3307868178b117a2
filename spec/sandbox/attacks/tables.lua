-- Tables: positions that are none, sizes that are not there, orders that are no orders.

local MB = 1024 * 1024

return {
  { name = "inserts with too many values", must = { gives = { false, false } },
    source = "return (pcall(table.insert, {}, 1, 2, 3)), (pcall(table.insert, {}))" },
  { name = "removes at no number", must = { gives = { 2 } },
    source = "local t = { 1, 2 } pcall(table.remove, t, 0/0) return #t" },
  { name = "removes far before the first place", must = { gives = { 2 } },
    source = "local t = { 1, 2 } pcall(table.remove, t, -2^31) return #t" },
  { name = "sorts with an order that is none", must = { gives = { true } }, source = [[
    local t = {}
    for i = 1, 300 do t[i] = i % 7 end
    pcall(table.sort, t, function() return true end)
    return #t == 300]] },
  { name = "sorts by an order that changes its mind", must = { gives = { true } }, source = [[
    local t, n = {}, 0
    for i = 1, 300 do t[i] = i end
    pcall(table.sort, t, function() n = n + 1 return n % 3 == 0 end)
    return #t == 300]] },
  { name = "sorts what it takes away meanwhile", must = { gives = { true } }, source = [[
    local t = {}
    for i = 1, 300 do t[i] = (i * 7919) % 300 end
    pcall(table.sort, t, function(a, b) for i = 1, 300 do t[i] = nil end return (a or 0) < (b or 0) end)
    return true]] },
  { name = "sorts values that cannot be compared", must = { gives = { false } },
    source = "return (pcall(table.sort, { 1, 'x', {}, true }))" },
  { name = "sorts by a hook that never ends", must = { stops = "cpu_limit" }, source = [[
    local m = { __lt = function() while true do end end }
    table.sort({ setmetatable({}, m), setmetatable({}, m), setmetatable({}, m) })]] },
  { name = "changes a table from the door while it is sorted", must = { gives = { 1, 2, 3 } }, source = [[
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b) door("echo") t[4], t[1] = 9, 9 return a < b end)
    return t[1], t[2], t[3] ]] },
  { name = "sorts by a comparator that catches its stop", must = { stops = "cpu_limit" }, source = [[
    local t = {}
    for i = 1, 5000 do t[i] = i end
    table.sort(t, function(a, b) pcall(function() while true do end end) return a > b end)
    return "survived"]] },
  { name = "joins what is no text", must = { gives = { false, false } },
    source = "return (pcall(table.concat, { {} })), (pcall(table.concat, { 1, true }))" },
  { name = "joins places that are not there", must = { gives = { false, "" } },
    source = "return (pcall(table.concat, {}, '', 1, 2^31 - 2)), table.concat({}, ',', 5, 1)" },
  { name = "joins many texts beyond all memory", memory = MB, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local t = {} for i = 1, 1000 do t[i] = 'x' end return #table.concat(t, ('y'):rep(10000))" },
  { name = "unpacks more than a stack holds", must = { gives = { false, false, true } },
    source = "return (pcall(unpack, {}, 1, 1e8)), (pcall(unpack, {}, -2^31, 2^31 - 1)), (pcall(unpack, {}, 1, 2^53))" },
  { name = "selects places that are not there", must = { gives = { false, 0, false } },
    source = "return (pcall(select, -5, 1)), select('#', select(2^30, 1)), (pcall(select, 0, 1))" },
  { name = "uses no number as a key", source = "local t = {}\nt[0/0] = 1",
    must = { raises = "main.lua:2: table index is NaN" } },
  { name = "uses no number as a key of a constructor", source = "return { [0/0] = 1 }",
    must = { raises = "main.lua:1: table index is NaN" } },
  { name = "uses nil as a key", source = "local t, k = {}\nt[k] = 1", must = { raises = "main.lua:2: table index is nil" } },
  { name = "sets no number as a key with rawset", must = { gives = { false, false } },
    source = "return (pcall(rawset, {}, 0/0, 1)), (pcall(rawset, {}, nil, 1))" },
  { name = "asks next for a key that is not there", must = { gives = { false } },
    source = "return (pcall(next, { a = 1 }, 'b'))" },
  { name = "changes a table while it walks it", must = { gives = { true } }, source = [[
    local t = {}
    for i = 1, 1000 do t[i] = i end
    local n = 0
    local ok = pcall(function()
      for k in pairs(t) do n = n + 1 t[k] = nil t[k + 5000] = n if n > 20000 then break end end
    end)
    return type(ok) == "boolean"]] },
  { name = "makes one table as large as memory", memory = MB, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local t, i = {}, 0 while true do i = i + 1 t[i] = i end" },
  { name = "makes a table of far places", memory = MB, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local t, i = {}, 1 while true do i = i + 1 t[i * 2^20] = i end" },
  { name = "asks maxn of a table of far places", must = { gives = { 2 ^ 53 } },
    source = "return table.maxn({ [2^53] = 1, [1] = 1 })" },
  { name = "gives the library something else than tables", must = { gives = { false, false, false, false } }, source = [[
    return (pcall(table.insert, "x", 1)), (pcall(table.concat, 1)), (pcall(table.sort, null)), (pcall(table.remove, print))]] },
  { name = "makes a table whose numbers hash alike", must = { gives = { true } }, cpu_ms = 5000, source = [[
    local t = {}
    for i = 1, 5000 do t[i * 2^32] = i end
    return t[2^32] == 1]] },
  { name = "inserts far before the first place", must = { gives = { false } },
    source = "return (pcall(table.insert, {}, -2^31, 1))" },
  { name = "inserts at no number", must = { gives = { false } }, source = "return (pcall(table.insert, { 1 }, 0/0, 1))" },
  { name = "inserts far behind the last place", must = { gives = { false } },
    source = "return (pcall(table.insert, {}, 2^31, 1))" },
  { name = "inserts and removes at halves of places", must = { gives = { "9,1,2", 1 } },
    source = "local t = { 1, 2 } table.insert(t, 1.5, 9) return table.concat(t, ','), (table.remove({ 1, 2 }, 1.5))" },
  { name = "joins from no number", must = { gives = { false, false } },
    source = "return (pcall(table.concat, { 1 }, ',', 0/0)), (pcall(table.concat, { 1 }, ',', -2^31, 2^31 - 1))" },
  { name = "joins what only a hook has", must = { gives = { false } },
    source = "return (pcall(table.concat, setmetatable({}, { __index = function() return 'x' end }), '', 1, 3))" },
  { name = "walks by ipairs what only a hook has", must = { gives = { 0 } }, source = [[
    local n = 0
    for _ in ipairs(setmetatable({}, { __index = function(_, i) return i end })) do n = n + 1 end
    return n]] },
  { name = "unpacks around the largest number", must = { gives = { 1, 3, false } },
    source = [[
    return select("#", unpack({}, 2^31 - 1, 2^31 - 1)), select("#", unpack({}, -1, 1)), (pcall(unpack, {}, 0/0, 1e9))]] },
  { name = "asks next for no number, and for what it has taken away", must = { gives = { false, "b" } }, source = [[
    local t = { a = 1, b = 2, c = 3 }
    local key = next(t)
    while key ~= "b" do t[key] = nil key = next(t, key) end
    return (pcall(next, t, 0/0)), key]] },
  { name = "sorts with a comparator that raises at each place in turn", must = { gives = { 64 } }, source = [[
    local kept = 0
    for stop = 1, 64 do
      local t, n = {}, 0
      for i = 1, 40 do t[i] = (i * 17) % 41 end
      pcall(table.sort, t, function(a, b) n = n + 1 if n == stop then error "x" end return a < b end)
      if #t == 40 then kept = kept + 1 end
    end
    return kept]] },
  { name = "clears a large table and asks for its first again and again", memory = 8 * MB,
    must = { stops = "cpu_limit" }, source = [[
    local t = {}
    for i = 1, 50000 do t["k" .. i] = i end
    for k in pairs(t) do t[k] = nil end
    while next(t) == nil do end]] },
  { name = "takes the first of a long list away for ever", must = { stops = "cpu_limit" }, memory = 8 * MB, source = [[
    local t = {}
    for i = 1, 200000 do t[i] = i end
    while true do table.remove(t, 1) t[#t + 1] = 1 end]] },
}
