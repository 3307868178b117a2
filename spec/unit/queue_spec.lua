-- Messages that wait for their turns: in order, bounded, and fair.

local eventually = require "spec.support.eventually"
local queue = require "parley.turn.queue"
local task = require "host.task"

describe("the queue of turns", function()
  local q, ran, gate, logged
  local function row(source, dialog, n) return { source = source, dialog_id = dialog, n = n } end
  local function new(run, of_one, of_all)
    q = queue.new {
      run = run, of_one = of_one or 1000, of_all = of_all or 10000,
      log = function(level, text) logged[#logged + 1] = level .. " " .. text end,
    }
  end
  local function add(source, rows)
    assert.is_true(q:reserve(source, #rows))
    q:add(rows)
  end
  local function done() eventually("all turns", function() return q:size() == 0 end) end

  local function done_but(n) eventually("the others", function() return q:size() == n end) end

  before_each(function()
    ran, logged, gate = {}, {}, task.cond()
  end)
  after_each(function() q:close() end)

  it("keeps the order of a dialog, however long its turns take and however many there are", function()
    local at_work = 0
    new(function(r)
      at_work = at_work + 1
      assert(at_work == 1, "two turns of one dialog at the same time")
      task.sleep(r.n % 7 == 0 and 0.002 or 0)
      ran[#ran + 1] = r.n
      at_work = at_work - 1
      return true
    end)
    local rows, expected = {}, {}
    for i = 1, 300 do rows[i], expected[i] = row("a", "d", i), i end
    add("a", rows)
    assert.is_true(q:holds "d")
    done()
    assert.same(expected, ran)
    assert.is_false(q:holds "d")
  end)

  it("lets nothing of a dialog pass a message whose turn fails, and lets the others go on", function()
    local failures = 2
    new(function(r)
      if r.n == 1 and r.dialog_id == "d" and failures > 0 then
        failures = failures - 1
        return nil, { code = "unavailable", message = "away", retryable = true }
      end
      ran[#ran + 1] = r.dialog_id .. r.n
      return true
    end)
    add("a", { row("a", "d", 1), row("a", "d", 2), row("a", "e", 1) })
    done()
    assert.same({ "e1", "d1", "d2" }, ran)
    assert.same({ "warn a message waits: its turn has failed" }, logged)
  end)

  it("leaves what fails for good to the recovery, and goes on behind it", function()
    new(function(r)
      ran[#ran + 1] = r.n
      if r.n == 1 then return nil, { code = "internal", message = "never" } end
      if r.n == 2 then return nil, { code = "message_failed", message = "before" } end
      if r.n == 3 then error "broken" end
      return true
    end)
    add("a", { row("a", "d", 1), row("a", "d", 2), row("a", "d", 3), row("a", "d", 4) })
    done()
    assert.same({ 1, 1, 1, 2, 3, 3, 3, 4 }, ran)
  end)

  it("has places for so many of a source, for so many of all, and always for a few", function()
    local open = false
    new(function()
      if not open then gate:wait(60) end
      return true
    end, 20, 50)
    local function fill(source, n)
      local rows = {}
      for i = 1, n do rows[i] = row(source, source .. i, i) end
      if not q:reserve(source, n) then return false end
      q:add(rows)
      return true
    end
    assert.is_false(fill("a", 20) and fill("a", 1))
    assert.is_true(fill("b", 20))
    assert.equal(10, q:room "c")
    assert.is_true(fill("c", 10))
    assert.is_false(q:reserve("c", 1))
    assert.equal(10, q:room "d")
    assert.is_true(fill("d", 10))
    assert.equal(60, q:size())
    q:reserve("e", 5)
    q:release("e", 5)
    assert.equal(60, q:size())
    assert.is_false(q:wait("a", 1, 0))
    task.spawn(function()
      open = true
      gate:broadcast()
    end)
    assert.is_true(q:wait("a", 20, 60))
    done()
  end)

  it("serves the sources by turns: one with a thousand messages delays the others by a turn", function()
    local turn = 0
    new(function(r)
      task.sleep(0)
      turn = turn + 1
      ran[r.source] = turn
      return true
    end)
    local many = {}
    for i = 1, 1000 do many[i] = row("many", "m" .. i, i) end
    add("many", many)
    add("one", { row("one", "o", 1) })
    done()
    assert(ran.one < 100, ("after %d turns"):format(ran.one))
    assert.equal(1001, ran.many)
  end)

  it("has fewer turns of a source under way while others write, too", function()
    local at_work, most = 0, 0
    new(function(r)
      if r.source == "many" then
        at_work = at_work + 1
        most = math.max(most, at_work)
        task.sleep(0)
        at_work = at_work - 1
      end
      return true
    end)
    local function flood()
      local rows = {}
      for i = 1, 100 do rows[i] = row("many", "m" .. i, i) end
      most = 0
      add("many", rows)
      done()
      return most
    end
    local alone = flood()
    add("one", { row("one", "o", 1) })
    local beside = flood()
    assert(beside * 4 <= alone, ("%d beside one, %d alone"):format(beside, alone))
  end)

  it("lets what others bring go before a crowd, while there is one", function()
    new(function() return true end)
    assert.is_false(q:goes_first "one")
    q:reserve("many", 50)
    assert.is_false(q:goes_first "one")
    q:reserve("many", 1)
    q:reserve("one", 50)
    assert.is_true(q:goes_first "one")
    assert.is_true(q:goes_first "nobody")
    assert.is_false(q:goes_first "many")
    q:release("many", 1)
    assert.is_false(q:goes_first "one")
    q:reserve("many", 60)
    q:release("many", 110) -- all of it, at once
    assert.is_false(q:goes_first "one")
  end)

  it("has one turn of a crowd under way beside a calm source, where it is told to", function()
    local most = 0
    new(function()
      most = math.max(most, q.sources.many.busy)
      -- Until there are two, where there may be: slots of turns that are not quick are no measure.
      while most < 2 and not q.yields do
        task.sleep(0)
        most = math.max(most, q.sources.many.busy)
      end
      return true
    end)
    local function crowd()
      local rows = {}
      for i = 1, 60 do rows[i] = row("many", "m" .. i, i) end
      most = 0
      q:reserve("many", 60)
      q.calm_until = math.huge -- as if somebody else wrote all the time
      q:add(rows)
      eventually("all turns", function() return q.sources.many.places == 60 end)
      return most
    end
    q:reserve("many", 60) -- so that it stays one until the last of them
    assert.is_true(crowd() > 1)
    q.yields = true
    assert.equal(1, crowd())
  end)

  it("does not hold back a crowd that is alone, and has had few messages before", function()
    local most = 0
    new(function()
      while most < 2 and not q.closed do
        task.sleep(0)
        most = math.max(most, q.sources.many.busy)
      end
      return true
    end)
    q.yields = true
    local rows = {}
    for i = 1, 100 do rows[i] = row("many", "m" .. i, i) end
    add("many", { row("many", "m", 0) })
    add("many", rows)
    done()
  end)

  it("begins nothing of a crowd while a calm source has something that is to be served", function()
    new(function(r)
      ran[#ran + 1] = r.source
      if r.source == "calm" then gate:wait(60) end
      return true
    end)
    local function a_while()
      for _ = 1, 20 do task.give_way(60) end
    end
    q:reserve("many", 100) -- so that it stays a crowd until the last of them
    q.crowd_due = math.huge -- it has had more than its least already
    assert.is_true(q:reserve("calm", 1))
    local rows = {}
    for i = 1, 60 do rows[i] = row("many", "m" .. i, i) end
    add("many", rows)
    a_while()
    assert.same({}, ran)
    q:add { row("calm", "c", 1) } -- and while its turn is under way, and quick
    q.slots:peek().since = math.huge
    a_while()
    assert.same({ "calm" }, ran)
    gate:broadcast()
    eventually("the crowd", function() return #ran == 61 end)
    q.crowd_due = math.huge
    q:reserve("calm", 1)
    add("many", { row("many", "n", 1) })
    a_while()
    assert.equal(61, #ran)
    q:release("calm", 1)
    eventually("the last of the crowd", function() return #ran == 62 end)
  end)

  it("lets a crowd go on, however much calm sources have", function()
    new(function()
      ran[#ran + 1] = 1
      return true
    end)
    q:reserve("calm", 1) -- and nothing becomes of it
    local rows = {}
    for i = 1, 60 do rows[i] = row("many", "m" .. i, i) end
    q:reserve("many", 60)
    add("many", rows)
    eventually("the crowd", function() return #ran == 60 end)
  end)

  it("has a crowd that brings more let the others go first", function()
    new(function() return true end)
    q:reserve("many", 60)
    assert.is_false(q:give_way "many")
    assert.is_false(q:give_way "nobody")
    q:reserve("calm", 1)
    assert.is_false(q:give_way "calm")
    assert.is_true(q:give_way "many")
    q:release("calm", 1)
    assert.is_false(q:give_way "many")
    add("calm", { row("calm", "c", 1) })
    done_but(60)
    assert.is_true(q:give_way "many") -- for as long as it may write again at any moment
  end)

  it("holds the dialogs of what is about to come, too", function()
    new(function() return true end)
    local first, second = { row("a", "d", 1), row("a", "e", 2) }, { row("a", "d", 3) }
    q:expect(first)
    q:expect(second)
    q:came(first)
    assert.is_true(q:holds "d")
    assert.is_false(q:holds "e")
    q:came(second)
    assert.is_false(q:holds "d")
  end)

  it("gives each place that is free to one who waits", function()
    new(function() return true end, 20)
    local got = 0
    q:reserve("a", 20)
    local tasks = {}
    for i = 1, 30 do
      tasks[i] = task.spawn(function()
        assert(q:wait("a", 1, 60) and q:reserve("a", 1))
        got = got + 1
        task.sleep(0)
        q:release("a", 1)
      end)
    end
    task.sleep(0)
    assert.equal(0, got)
    q:release("a", 3)
    for i = 1, 30 do assert(tasks[i]:join()) end
    assert.equal(17, q:size())
  end)

  it("gives the slots of turns that wait for somebody else to others", function()
    new(function(r)
      if r.source == "slow" then gate:wait(60) end
      ran[#ran + 1] = r.source
      return true
    end)
    for i = 1, 10 do
      local rows = {}
      for k = 1, 100 do rows[k] = row("slow", ("s%d-%d"):format(i, k), k) end
      add("slow", rows)
    end
    eventually("all of them are under way", function() return q.ready == 0 end)
    add("quick", { row("quick", "q", 1) })
    eventually("the quick one", function() return ran[1] == "quick" end)
    gate:broadcast()
    done()
    assert.equal(1001, #ran)
  end)

  it("starts nothing when it is closed", function()
    local begun = false
    new(function()
      begun = true
      gate:wait(60)
      ran[#ran + 1] = 1
      return true
    end)
    add("a", { row("a", "d", 1), row("a", "d", 2) })
    eventually("the first turn", function() return begun end)
    q:close()
    gate:broadcast()
    eventually("the turn under way", function() return #ran == 1 end)
    task.sleep(0.01)
    assert.equal(1, #ran)
  end)
end)
