-- Coroutines, which the scheduler provides: who may be resumed by whom, how deep, and what crosses between them.

local MB = 1024 * 1024

return {
  { name = "resumes itself", must = { gives = { true, false, "cannot resume running coroutine" } }, source = [[
    local co
    co = coroutine.create(function() return coroutine.resume(co) end)
    return coroutine.resume(co)]] },
  { name = "resumes the one that has resumed it", must = { gives = { true, true, false, "cannot resume normal coroutine" } },
    source = [[
    local outer
    outer = coroutine.create(function()
      return coroutine.resume(coroutine.create(function() return coroutine.resume(outer) end))
    end)
    return coroutine.resume(outer)]] },
  { name = "resumes a dead one again and again", must = { gives = { 1000 } }, source = [[
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    local refused = 0
    for i = 1, 1000 do
      local ok, err = coroutine.resume(co)
      if not ok and err == "cannot resume dead coroutine" then refused = refused + 1 end
    end
    return refused]] },
  { name = "yields outside of a coroutine", source = "local x = coroutine.yield(1)",
    must = { raises = "main.lua:1: attempt to yield outside a coroutine" } },
  { name = "yields from a sort comparator and never comes back", must = { gives = { true, "suspended", 2 } }, source = [[
    local t = { 2, 1, 3 }
    local co = coroutine.create(function() table.sort(t, function() coroutine.yield() end) end)
    return (coroutine.resume(co)), coroutine.status(co), t[1] ]] },
  { name = "resumes in a sort comparator what sorts the same table", must = { gives = { true, 1 } }, source = [[
    local t = { 2, 1, 3 }
    local co = coroutine.wrap(function() table.sort(t, function(a, b) coroutine.yield() return a < b end) end)
    table.sort(t, function(a, b) pcall(co) return a < b end)
    return #t == 3, t[1] ]] },
  { name = "starts coroutines in coroutines without end", must = { raises = "too many nested coroutines or values" },
    source = "local function f() return coroutine.wrap(f)() end\nf()" },
  { name = "catches that there are too many nested ones, and goes on", must = { gives = { 64 } }, source = [[
    local depth = 0
    local function f()
      depth = depth + 1
      pcall(coroutine.wrap(f))
    end
    f()
    return depth - 1]] },
  { name = "passes more values than fit to a resume", must = { gives = { true, 7500 } },
    source = "return coroutine.resume(coroutine.create(function(...) return select('#', ...) end), unpack({}, 1, 7500))" },
  { name = "passes more values than fit out of a yield", must = { gives = { false, "too many values" } },
    source = "return coroutine.resume(coroutine.create(function() coroutine.yield(unpack({}, 1, 300)) end))" },
  { name = "calls pcall as the body of a coroutine", source = "return coroutine.wrap(pcall)(pcall, pcall, error)",
    must = { gives = { true, true, false },
    n = 4 } },
  { name = "calls the library as the body of a coroutine",
    must = { gives = { true, false, "attempt to yield outside a coroutine" } },
    source = "return coroutine.resume(coroutine.create(coroutine.wrap), coroutine.yield) and true, pcall(coroutine.yield)" },
  { name = "resumes, from another call, what waits at the door of the first",
    must = { gives = { "answer", "false cannot resume normal coroutine" } },
    source = "local shared = require 'shared' return shared()", lib = { shared = [[
      local co, seen
      return function()
        if co == nil then
          co = coroutine.create(function() return door("wait") end)
          local _, answer = coroutine.resume(co)
          return answer, seen
        end
        local ok, why = coroutine.resume(co, "forged")
        seen = tostring(ok) .. " " .. tostring(why)
        return seen
      end]] },
    play = function(sb)
      local kind, first = sb:start("main", 1000, 20)
      assert(kind == "door")
      assert(sb:start("main", 1000, 20) == "done")
      return first:answer("answer")
    end },
  { name = "asks, from another call, for the status of what is preempted in the first",
    must = { gives = { "normal" }, breaks = true },
    source = "local shared = require 'shared' return shared()", lib = { shared = [[
      local co
      return function()
        if co == nil then
          co = coroutine.create(function() while true do end end)
          coroutine.resume(co)
        end
        return coroutine.status(co)
      end]] },
    play = function(sb)
      local task = require "host.task"
      local busy = task.spawn(function() return sb:start("main", 60000, 60) end)
      task.sleep(0.005)
      local kind, status = sb:start("main", 1000, 20)
      busy:cancel()
      return kind, status
    end },
  { name = "hides a loop in a coroutine that is not reached from its main one", must = { stops = "cpu_limit" },
    source = "local co = coroutine.create(function() while true do end end) coroutine.resume(co) return 'survived'" },
  { name = "switches between coroutines for ever", must = { stops = "cpu_limit" }, source = [[
    local a = coroutine.wrap(function() while true do coroutine.yield() end end)
    while true do a() end]] },
  { name = "makes coroutines for ever", memory = 1024 * 1024, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end" },
  { name = "keeps values on stacks of coroutines", memory = 1024 * 1024, must = { stops = "memory_limit" }, cpu_ms = 5000,
    source = [[
    local t = {}
    while true do
      local co = coroutine.create(function(...) coroutine.yield() return ... end)
      coroutine.resume(co, unpack({}, 1, 200))
      t[#t + 1] = co
    end]] },
  { name = "uses a coroutine as a door to the main one", source = "return coroutine.running()", must = { gives = {}, n = 0 } },
  { name = "calls wrap without a function", source = "coroutine.wrap(1)", must = { raises =
    "main.lua:1: bad argument #1 to 'wrap' (function expected, got number)" } },
  { name = "resumes what is no coroutine", source = "local x = coroutine.resume({})", must = { raises =
    "main.lua:1: bad argument #1 to 'resume' (thread expected, got table)" } },
  { name = "never ends in an iterator that is a coroutine", must = { stops = "cpu_limit" },
    source = "for _ in coroutine.wrap(function() while true do end end) do end" },
  { name = "gives itself as the body of a coroutine", must = { gives = { true, false, "cannot resume running coroutine" } },
    source = "local co = coroutine.create(coroutine.resume) return coroutine.resume(co, co)" },
  { name = "has yield as the body of a coroutine", must = { gives = { true, 1, 2, true, 3, "dead" } }, source = [[
    local co = coroutine.create(coroutine.yield)
    local a, b, c = coroutine.resume(co, 1, 2)
    local d, e = coroutine.resume(co, 3)
    return a, b, c, d, e, coroutine.status(co)]] },
  { name = "yields in every kind of metamethod", must = { gives = { 9 } }, source = [[
    local function y(...) return coroutine.yield(...) end
    local m = { __index = y, __newindex = y, __call = y, __add = y, __concat = y, __lt = y, __eq = y, __unm = y, __le = y }
    local a, b = setmetatable({}, m), setmetatable({}, m)
    local co = coroutine.wrap(function()
      local _ = a.x; a.x = 1; _ = a(1); _ = a + 1; _ = a .. "x"; _ = a < b; _ = a == b; _ = -a; _ = a <= b
      return "end"
    end)
    local n = 0
    while co() ~= "end" do n = n + 1 end
    return n]] },
  { name = "yields in pcall, xpcall, a handler, gsub and sort", must = { gives = { 5 } }, source = [[
    local y = coroutine.yield
    local co = coroutine.wrap(function()
      pcall(y)
      xpcall(y, error)
      xpcall(error, y)
      ;("a"):gsub("a", function() y() end)
      table.sort({ 2, 1 }, function(a, b) y() return a < b end)
      return "end"
    end)
    local n = 0
    while co() ~= "end" do n = n + 1 end
    return n]] },
  { name = "yields while it is printed", must = { gives = { true } },
    source = [[
    local t = setmetatable({}, { __tostring = function() coroutine.yield() return "x" end })
    return (coroutine.resume(coroutine.create(function() return tostring(t) end)))]] },
  { name = "leaves coroutines suspended in comparators to the collector", memory = MB, cpu_ms = 10000,
    must = { gives = { true } }, source = [[
    for i = 1, 5000 do
      local co = coroutine.create(function() table.sort({ 3, 2, 1 }, function() coroutine.yield() end) end)
      coroutine.resume(co)
    end
    return true]] },
  { name = "uses up the stacks of nested coroutines", must = { stops = "memory_limit" }, memory = 4 * MB, cpu_ms = 10000,
    source = [[
    local function fall(n, then_) if n == 0 then return then_() end return 1 + fall(n - 1, then_) end
    local function nest() return fall(6000, coroutine.wrap(nest)) end
    return nest()]] },
  { name = "dies by an error, and is asked for its status and resumed",
    must = { gives = { false, "dead", false, "cannot resume dead coroutine" } }, source = [[
    local co = coroutine.create(function() error { 1 } end)
    local ok = coroutine.resume(co)
    return ok, coroutine.status(co), coroutine.resume(co)]] },
  { name = "calls the door from one that an earlier call has begun", must = { gives = { "second" } },
    source = "local shared = require 'shared' return shared()", lib = { shared = [[
      local co
      return function()
        if co == nil then
          co = coroutine.create(function() coroutine.yield() return door("x", "second") end)
          coroutine.resume(co)
          return "first"
        end
        local _, answer = coroutine.resume(co)
        return answer
      end]] },
    play = function(sb)
      assert(sb:start("main", 1000, 20) == "done")
      return sb:start("main", 1000, 20)
    end },
  { name = "resumes, from another call, what is in the middle of a search in the first",
    must = { gives = { "normal", false }, breaks = true },
    source = "local shared = require 'shared' return shared()", lib = { shared = [[
      local co
      return function()
        if co == nil then
          co = coroutine.create(function() return ("a"):rep(1000):find((".-"):rep(20) .. "b") end)
          coroutine.resume(co)
        end
        return coroutine.status(co), (coroutine.resume(co))
      end]] },
    play = function(sb)
      local task = require "host.task"
      local busy = task.spawn(function() return sb:start("main", 60000, 60) end)
      task.sleep(0.005)
      local kind, status, ok = sb:start("main", 1000, 20)
      busy:cancel()
      return kind, status, ok
    end },
}
