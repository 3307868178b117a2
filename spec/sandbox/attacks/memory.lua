-- Memory: the cap is exact, and what reaches it is stopped for good.

local MB = 1024 * 1024

return {
  { name = "keeps texts for ever", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t, n = {}, 0 while true do n = n + 1 t[n] = ('x'):rep(100) .. n end" },
  { name = "keeps tables for ever", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = {} while true do t = { t } end" },
  { name = "keeps functions for ever", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = {} while true do local u = #t t[u + 1] = function() return u end end" },
  { name = "keeps iterators of gmatch for ever", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = {} while true do t[#t + 1] = ('x'):gmatch('.') end" },
  { name = "keeps what the host answers for ever", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = {} while true do t[#t + 1] = door('x', ('y'):rep(1000) .. #t) end" },
  { name = "is given an answer that it has no room for", memory = 512 * 1024, must = { ends = "memory_limit", breaks = true },
    source = "return #door('x')",
    serve = function() return ("x"):rep(900 * 1024) end },
  { name = "asks at once for all that there is", memory = MB, must = { stops = "memory_limit" },
    source = "local t = ('x'):rep(2^30)" },
  { name = "asks for it again after it was refused", memory = MB, must = { stops = "memory_limit" },
    source = "for i = 1, 1000 do pcall(string.rep, 'x', 2^30) end return 'survived'" },
  { name = "fills its memory while it is compiled", memory = 256 * 1024, must = { refused = "memory_limit", breaks = true },
    source = "return {" .. ("{1,2,'a',{}},"):rep(15000) .. "}" },
  { name = "fills its memory with one constant", memory = 256 * 1024, must = { refused = "memory_limit", breaks = true },
    source = "return '" .. ("x"):rep(200 * 1024) .. "'" },
  { name = "hits its cap in a coroutine", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local co = coroutine.wrap(function() local t = {} while true do t = { t } end end) pcall(co) return 'survived'" },
  { name = "hits its cap in a comparator", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "pcall(table.sort, { 3, 2, 1 }, function() local t = {} while true do t = { t } end end) return 'survived'" },
  { name = "hits its cap in a hook of tostring", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = [[
    pcall(tostring, setmetatable({}, { __tostring = function() local t = {} while true do t = { t } end
    end })) return 'survived']] },
  { name = "hits its cap with the stack of its recursion", memory = 256 * 1024, cpu_ms = 5000,
    must = { stops = "memory_limit" },
    source = "local function f(a, b, c, d) return 1 + f(a, b, c, d) end return f(1, 2, 3, 4)" },
  { name = "hits its cap with upvalues of closed coroutines", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = [[
    local t = {}
    while true do
      local co = coroutine.wrap(function() local x = {} coroutine.yield(function() return x end) end)
      t[#t + 1] = co()
    end]] },
  { name = "keeps what it weakly holds alive", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = setmetatable({}, { __mode = 'k' }) while true do local k = {} t[k] = { k } t[#t + 1] = k end" },
  { name = "doubles a table near its cap", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t = {} for i = 1, 2^20 do t['k' .. i] = true end" },
  { name = "packs what it unpacks, again and again", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" },
    source = "local t, all = {}, {} for i = 1, 5000 do t[i] = i end while true do all[#all + 1] = { unpack(t) } end" },
  { name = "keeps a little more with each event", memory = MB, must = { stops = "memory_limit" },
    lib = { shared = "return {}" },
    source = "local shared = require 'shared' shared[#shared + 1] = ('x'):rep(10000) .. #shared return #shared",
    play = function(sb)
      for i = 1, 1000 do
        local kind, v = sb:start("main", 1000, 20)
        if kind ~= "done" then return kind, v end
        assert(v == i)
      end
      return "done"
    end },
  { name = "is given eight answers of a megabyte at once", memory = 4 * MB, must = { ends = "memory_limit", breaks = true },
    source = "return select('#', door('x'))",
    serve = function()
      local s = ("x"):rep(1000 * 1000)
      return s .. 1, s .. 2, s .. 3, s .. 4, s .. 5, s .. 6, s .. 7, s .. 8
    end },
  { name = "makes hooks grow texts by a half", memory = MB, cpu_ms = 5000, must = { stops = "memory_limit" }, source = [[
    local m = {} m.__concat = function(a, b) return setmetatable({ s = a.s .. b.s .. b.s }, m) end
    local t = setmetatable({ s = "xx" }, m)
    while true do t = t .. t end]] },
}
