-- Calls after the end: of a call, of the state, of another call in it. Jobs that come when their plugin was stopped.

local task = require "host.task"

-- A call of `main` that waits at the door.
local function waiting(sb)
  local kind, call = sb:start("main", 1000, 20)
  assert(kind == "door")
  return call
end

local function refused(f, ...)
  local ok, err = pcall(f, ...)
  return "done", ok, (tostring(err):gsub("^[^:]*:%d+: ", ""))
end

return {
  { name = "is answered after its state was closed", source = "return door('x')", must = { gives = { "late" } },
    play = function(sb)
      local call = waiting(sb)
      local other = call
      return other:answer("late")
    end },
  { name = "is answered twice", source = "return door('x')", must = { gives = { false, "the call has ended" } },
    play = function(sb)
    local call = waiting(sb)
    call:answer(1)
    return refused(call.answer, call, 2)
  end },
  { name = "is answered after it was stopped", source = "return door('x')", must = { gives = { false, "the call has ended" } },
    play = function(sb)
    local call = waiting(sb)
    call:stop("enough")
    call:stop("enough")
    return refused(call.answer, call, 2)
  end },
  { name = "waits while another call of its state is stopped by force", must = { ends = "disabled", breaks = true }, source =
    "local x = ... if x then while true do end end return door('x')", play = function(sb)
      local call = waiting(sb)
      assert(sb:start("main", 20, 20, true) == "error")
      return call:answer(1)
    end },
  { name = "waits while another call of its state runs out of memory",
    must = { ends = "disabled", breaks = true }, memory = 1024 * 1024, source =
    "local x = ... if x then return ('x'):rep(2^30) end return door('x')", play = function(sb)
      local call = waiting(sb)
      assert(sb:start("main", 1000, 20, true) == "error")
      return call:answer(1)
    end },
  { name = "is compiled again after its state was stopped", must = { ends = "disabled", breaks = true },
    source = "while true do end", play = function(sb)
    assert(sb:start("main", 20, 20) == "error")
    local ok, err = sb:compile("again", "return 1", "@again.lua")
    assert(not ok)
    return "error", err
  end },
  { name = "is preempted, cancelled, and called again", must = { ends = "disabled", breaks = true },
    source = "while true do end", play = function(sb)
    local busy = task.spawn(function() return sb:start("main", 60000, 60) end)
    task.sleep(0.005)
    busy:cancel()
    task.sleep(0.005)
    return sb:start("intact", 1000, 20)
  end },
  { name = "waits at the door when it is cancelled, and is called again", must = { gives = {}, n = 0 },
    source = "return door('x')", play = function(sb)
    local held = task.spawn(function() waiting(sb) task.sleep(60) end)
    task.sleep(0.005)
    held:cancel()
    task.sleep(0.005)
    local kind = sb:start("intact", 1000, 20)
    return kind
  end },
  { name = "holds many calls open at the door at once", must = { gives = { 100 } }, source = "return door('x', ...)",
    play = function(sb)
    local calls, n = {}, 0
    for i = 1, 100 do
      local _, call = sb:start("main", 1000, 20, i)
      calls[i] = call
    end
    for i = 100, 1, -1 do
      local kind, v = calls[i]:answer(i)
      if kind == "done" and v == i then n = n + 1 end
    end
    return "done", n
  end },
  { name = "is entered while the host serves its door", must = { gives = { "inner", "outer" } },
    source = "local x = ... if x then return 'inner' end return door('x'), 'outer'",
    play = function(sb)
      local call = waiting(sb)
      local _, inner = sb:start("main", 1000, 20, true)
      return call:answer(inner)
    end },
  { name = "enters itself by way of the door, without end", must = { gives = { 50 } },
    source = "local n = ... return door('again', n)", play = function(sb)
    local function enter(n)
      local kind, call = sb:start("main", 1000, 20, n)
      assert(kind == "door")
      local _, deepest = call:answer(n == 50 and n or enter(n + 1))
      return deepest
    end
    return "done", enter(1)
  end },
  { name = "is called by a slot that is not there", must = { ends = "not_found", says = "has no function" },
    source = "return 1",
    play = function(sb) return sb:start("nothing", 1000, 20) end },
  { name = "is called by the slot of a module", must = { gives = { 5 } }, source = "return 1", lib = { m = "return 5" },
    play = function(sb) return sb:start("lib:m", 1000, 20) end },
  { name = "is sealed again", must = { gives = { false } }, source = "return (pcall(function() x = 1 end))", play = function(sb)
    sb:start("seal", 1000, 20)
    return sb:start("main", 1000, 20)
  end },
  { name = "is given arguments that it has no room for", must = { ends = "memory_limit", breaks = true }, memory = 256 * 1024,
    source = "return 1",
    play = function(sb) return sb:start("main", 1000, 20, ("x"):rep(500 * 1024)) end },
  { name = "is given a function of the host", must = { ends = "invalid", says = "a function cannot cross" },
    source = "return (...)()",
    play = function(sb) return sb:start("main", 1000, 20, print) end },
  { name = "is given _G of the host", must = { ends = "too_large" }, source = "return (...).io",
    play = function(sb)
      local cyclic = {}
      cyclic.self = cyclic
      return sb:start("main", 1000, 20, cyclic)
    end },
}
