local task = require "host.task"
local time = require "host.time"

describe("a task", function()
  it("returns its results to whoever joins, as often as it is joined", function()
    local h = task.spawn(function(a, b) return a + b, nil, "x" end, 2, 3)
    assert.same({ true, 5, nil, "x" }, { h:join() })
    assert.same({ true, 5, nil, "x" }, { h:join() })
  end)

  it("needs no handle", function()
    local seen, c = {}, task.cond()
    task.start(function(a, b)
      c:wait(60)
      seen[1], seen[2] = a, b
      c:broadcast()
    end, 1, 2)
    task.sleep(0)
    assert.equal(0, #seen)
    c:broadcast()
    assert.is_true(c:wait(60))
    assert.same({ 1, 2 }, seen)
    assert.has_error(function() task.start(1) end, "bad argument #1 to 'start' (function expected, got number)")
  end)

  it("lets others run while it sleeps", function()
    local seen = {}
    local a = task.spawn(function() task.sleep(0.02) seen[#seen + 1] = "slow" end)
    local b = task.spawn(function() task.sleep(0.001) seen[#seen + 1] = "fast" end)
    a:join() b:join()
    assert.same({ "fast", "slow" }, seen)
  end)

  it("gives way to all others, as long as they have something to do", function()
    local seen = {}
    local h = task.spawn(function()
      task.give_way(60)
      seen[#seen + 1] = "last"
    end)
    local other = task.spawn(function()
      for _ = 1, 50 do task.sleep(0) end
      seen[#seen + 1] = "other"
    end)
    assert(other:join() and h:join())
    assert.same({ "other", "last" }, seen)
  end)

  it("gives way for as long as it is told to", function()
    local ran = false
    local h = task.spawn(function()
      task.give_way(0)
      ran = true
    end)
    while not ran do task.sleep(0) end -- there is always somebody else
    assert(h:join())
  end)

  it("is cancelled while it gives way", function()
    local ran = false
    local h = task.spawn(function()
      task.give_way(60)
      ran = true
    end)
    task.sleep(0)
    h:cancel()
    task.give_way(60)
    assert.is_false(ran)
  end)

  it("waits through pcall and deep calls", function()
    local function deep(n) if n == 0 then task.sleep(0) return "down" end return deep(n - 1) .. "" end
    local ok, v = pcall(function() local _, r = pcall(deep, 50) return r end)
    assert.is_true(ok)
    assert.equal("down", v)
  end)

  it("gives a raised value to its joiner unchanged", function()
    local mark = {}
    local h = task.spawn(function() task.sleep(0) error(mark) end)
    local ok, err = h:join()
    assert.is_false(ok)
    assert.equal(mark, err)
  end)

  it("times a join out and leaves the task running", function()
    local h = task.spawn(function() task.sleep(0.05) return 1 end)
    local ok, err = h:join(0.005)
    assert.is_nil(ok)
    assert.equal("timeout", err.code)
    assert.same({ true, 1 }, { h:join() })
  end)

  it("cancels its pending op and is never resumed", function()
    local ops = task.stats().ops
    local reached = false
    local h = task.spawn(function() task.sleep(60) reached = true end)
    task.sleep(0)
    h:cancel()
    local ok, err = h:join()
    assert.is_false(ok)
    assert.equal("cancelled", err.code)
    assert.is_false(reached)
    assert.equal(ops, task.stats().ops)
  end)

  it("takes its children with it", function()
    local child
    local h = task.spawn(function()
      child = task.child(function() task.sleep(60) end)
      task.sleep(0.001)
    end)
    h:join()
    local ok, err = child:join()
    assert.is_false(ok)
    assert.equal("cancelled", err.code)
  end)

  it("cuts every wait at its own deadline", function()
    local h = task.spawn(function()
      task.deadline(0.01)
      local c = task.cond()
      return c:wait(60)
    end)
    local ok, v, err = h:join()
    assert.is_true(ok)
    assert.is_nil(v)
    assert.equal("timeout", err.code)
  end)

  it("hands its trace id on", function()
    local id = ("ab"):rep(16)
    local h = task.spawn(function()
      task.trace(id)
      return select(2, task.spawn(function() return task.trace() end):join())
    end)
    assert.equal(id, select(2, h:join()))
    assert.has_error(function() task.trace("short") end)
  end)

  it("refuses to wait where Lua cannot yield", function()
    local ops = task.stats().ops
    assert.has_error(function() table.sort({ 2, 1 }, function() task.sleep(0.001) end) end)
    local co = coroutine.create(function() task.sleep(0.001) end)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("cannot wait here", err)
    assert.equal(ops, task.stats().ops)
  end)

  it("runs a hundred thousand in little memory", function()
    local n = 0
    for _ = 1, 100 do
      local hs = {}
      for i = 1, 1000 do hs[i] = task.spawn(function() task.sleep(0) n = n + 1 end) end
      for i = 1, 1000 do hs[i]:join() end
    end
    assert.equal(100000, n)
  end)
end)

describe("a condition", function()
  it("wakes as many as it is told to, in order", function()
    local c, seen, hs = task.cond(), {}, {}
    for i = 1, 3 do hs[i] = task.spawn(function() c:wait(5) seen[#seen + 1] = i end) end
    task.sleep(0)
    assert.equal(1, c:signal())
    hs[1]:join()
    assert.same({ 1 }, seen)
    assert.equal(2, c:broadcast())
    hs[2]:join() hs[3]:join()
    assert.same({ 1, 2, 3 }, seen)
  end)
end)

describe("the clocks", function()
  it("agree on the format of RFC 3339", function()
    assert.equal("1970-01-01T00:00:00.000Z", time.rfc3339(0))
    assert.equal("2038-01-19T03:14:08.123Z", time.rfc3339(2147483648123))
    assert.has_error(function() time.rfc3339(-1) end)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", time.rfc3339())
  end)

  it("do not run backwards", function()
    local a = time.mono()
    task.sleep(0.002)
    assert.is_true(time.mono() > a)
  end)
end)
