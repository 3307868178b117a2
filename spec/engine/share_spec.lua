local engine = require "host.engine"
local eventually = require "spec.support.eventually"
local sandbox = require "host.sandbox"
local task = require "host.task"

local prelude = require("parley.engine.prelude").text()

-- A plugin of its own name, so that nothing that ran before is counted.
local made = 0
local function plugin(source)
  made = made + 1
  local name = "share-" .. made
  local sb = assert(sandbox.new { name = name, memory = 4 * 1024 * 1024, prelude = prelude })
  assert.equal("done", (sb:start("seal")))
  assert(sb:compile("main", source, "@main.lua"))
  return sb, name
end

local function slices(name) return engine.shares()[name].slices end

local SPIN = "while true do end"
local WORK = "local n = 0 for i = 1, 3e6 do n = n + i % 3 end return n"

describe("the loop", function()
  it("is shared by plugins, not by their calls", function()
    local crowd, crowd_name = plugin(SPIN)
    local one, one_name = plugin(WORK)
    local calls = {}
    for i = 1, 50 do calls[i] = task.spawn(function() return crowd:start("main", 60000, 60) end) end
    assert.equal("done", (one:start("main", 60000, 60))) -- now both are busy
    local before, own = slices(crowd_name), slices(one_name)
    assert.equal("done", (one:start("main", 60000, 60)))
    assert.is_true(engine.shares()[crowd_name].busy and engine.shares()[one_name].busy)
    local theirs, ours = slices(crowd_name) - before, slices(one_name) - own
    for _, call in ipairs(calls) do call:cancel() end
    assert.is_true(ours > 10, ours .. " slices: too short to compare")
    -- Turn by turn: neither has had two of the other's.
    assert.is_true(math.abs(theirs - ours) <= 2, theirs .. " slices of the crowd, " .. ours .. " of the other")
    assert.equal(0, engine.shares()[crowd_name].waiting)
  end)

  it("gives all plugins together a bounded part of a turn, however many start at once", function()
    local names, calls = {}, {}
    for i = 1, 10 do
      local sb
      sb, names[i] = plugin(SPIN)
      for _ = 1, 20 do
        calls[#calls + 1] = task.spawn(function()
          task.sleep(0.01) -- all are woken by one turn
          sb:start("main", 60000, 60)
        end)
      end
    end
    local function total()
      local n = 0
      for _, name in ipairs(names) do n = n + slices(name) end
      return n
    end
    local idle, last = total(), engine.turns().number
    local most, looks = 0, 0
    repeat
      task.sleep(0.001)
      local n, turn = total(), engine.turns().number
      if n > idle then
        most = math.max(most, (n - idle) / (turn - last + 1)) -- both ends are in the middle of a turn
        looks = looks + 1
      end
      idle, last = n, turn
    until looks == 20
    for _, call in ipairs(calls) do call:cancel() end
    -- 4 ms for those who start, 4 ms for those who wait and 4 ms for those who start then, in slices of at least 0.25 ms.
    assert.is_true(most <= 50, most .. " slices in a turn")
  end)

  it("lets a plugin that is quick answer at once while others run away", function()
    local calls = {}
    local running = {}
    for i = 1, 8 do
      local sb
      sb, running[i] = plugin(SPIN)
      for _ = 1, 5 do calls[#calls + 1] = task.spawn(function() sb:start("main", 60000, 60) end) end
    end
    local quick, name = plugin "return 1"
    task.sleep(0.005)
    local worst = 0
    for _ = 1, 20 do
      task.sleep(0.001)
      local before = 0
      for _, n in ipairs(running) do before = before + slices(n) end
      assert.equal("done", (quick:start("main", 50, 5)))
      local after = 0
      for _, n in ipairs(running) do after = after + slices(n) end
      worst = math.max(worst, after - before)
    end
    for _, call in ipairs(calls) do call:cancel() end
    assert.equal(0, engine.shares()[name].preemptions)
    assert.equal(0, worst)
  end)

  it("serves a plugin that has not computed lately before those that run away", function()
    local calls, names = {}, {}
    for i = 1, 10 do
      local sb
      sb, names[i] = plugin(SPIN)
      calls[i] = task.spawn(function() sb:start("main", 60000, 60) end)
    end
    eventually("all are busy", function()
      for _, name in ipairs(names) do
        if not engine.shares()[name].busy then return false end
      end
      return true
    end)
    local function theirs()
      local n = 0
      for _, name in ipairs(names) do n = n + slices(name) end
      return n
    end
    -- Slices of those who run away while a newcomer has its first ones, until it is busy itself: it may be so at once on
    -- a machine that stands still.
    local function newcomer()
      local sb, name = plugin(SPIN)
      local before, own, others = theirs(), 0, 0
      local call = task.spawn(function() sb:start("main", 60000, 60) end)
      while true do
        task.sleep(0.001)
        if engine.shares()[name].busy then break end
        own, others = slices(name), theirs() - before
      end
      call:cancel()
      return own, others
    end
    local own, others
    eventually("a newcomer is seen at work", function()
      own, others = newcomer()
      return own >= 6
    end)
    for _, call in ipairs(calls) do call:cancel() end
    assert.is_true(others <= own / 3 + 2, others .. " slices of ten that run away, " .. own .. " of the other")
  end)

  it("lets its core rest after the slices of a plugin that runs away, and of no other one", function()
    local quick, quick_name = plugin "return 1"
    assert.equal("done", (quick:start("main", 50, 5)))
    local sb, name = plugin(SPIN)
    local _, err = sb:start("main", 100, 60)
    assert.equal("cpu_limit", err.code)
    local used = engine.shares()[name]
    assert.is_true(used.busy)
    assert.is_true(used.rests > 0 and used.rests < used.slices, used.rests .. " rests, " .. used.slices .. " slices")
    assert.same({ false, 0 }, { engine.shares()[quick_name].busy, engine.shares()[quick_name].rests })
  end)

  it("forgives one that has run away when it has had nothing to do", function()
    local sb, name = plugin "local spin = ... while spin do end return 'ran'"
    local call = task.spawn(function() sb:start("main", 60000, 60, true) end)
    eventually("it is busy", function() return engine.shares()[name].busy end)
    call:cancel()
    sb:close()
    local again = assert(sandbox.new { name = name, memory = 4 * 1024 * 1024, prelude = prelude })
    eventually("it is as any other", function()
      assert.equal("done", (again:start("seal")))
      return not engine.shares()[name].busy
    end)
  end)

  it("keeps the share of a plugin whose state was replaced", function()
    local sb, name = plugin(SPIN)
    local kind, err = sb:start("main", 5, 5)
    assert.same({ "error", "cpu_limit" }, { kind, err.code })
    sb:close()
    local used = engine.shares()[name]
    assert.is_true(used.cpu_s >= 0.005)
    local again = assert(sandbox.new { name = name, memory = 4 * 1024 * 1024, prelude = prelude })
    assert.is_true(engine.shares()[name].cpu_s >= used.cpu_s)
    assert.equal("done", (again:start("seal")))
    assert.equal(used.slices + 1, engine.shares()[name].slices)
  end)

  it("ends a call whose deadline passes in the line, and spares the state when it had not begun", function()
    local sb = plugin "local spin = ... while spin do end return 'ran'"
    local spinning = task.spawn(function() return sb:start("main", 60000, 60, true) end)
    task.sleep(0.002)
    local late = {}
    for i = 1, 40 do late[i] = task.spawn(function() return sb:start("main", 60000, 1e-6) end) end
    for _, call in ipairs(late) do
      local _, kind, err = call:join()
      assert.same({ "error", "timeout" }, { kind, err.code })
    end
    assert.is_false(sb:stats().broken)
    assert.same({ "done", "ran" }, { sb:start("main", 50, 5) })
    spinning:cancel()
  end)

  it("counts its turns and how long they are", function()
    local before = engine.turns()
    task.sleep(0.001)
    task.sleep(0.001)
    local after = engine.turns()
    local n = 0
    for i, count in ipairs(after.counts) do n = n + count - before.counts[i] end
    assert.equal(after.number - before.number, n)
    assert.is_true(n >= 2)
    assert.equal(#after.bounds + 1, #after.counts)
    assert.is_true(after.seconds >= before.seconds)
  end)
end)
