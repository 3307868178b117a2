local cluster = require "parley.cluster"
local database = require "spec.support.database"
local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local store = require "parley.store"
local config = require "parley.config"
local task = require "host.task"

local function open()
  local home = host.temp_dir()
  return assert(store.open(assert(config.load(home, { getenv = database.environment(home) }))))
end

local function join(db, id)
  local c = cluster.new { db = db, id = id, log = function() end }
  -- Several workers in one process: also on a database in a file they behave as if they shared it.
  c.shared = true
  return c
end

describe("a cluster", function()
  local db, members

  before_each(function() db, members = open(), {} end)
  after_each(function()
    for _, c in ipairs(members) do c:close() end
    db:close()
  end)

  local function member(id)
    local c = join(db, id)
    members[#members + 1] = c
    return c
  end

  it("looks at once when another worker of its host says so, and tells them not too often", function()
    local calls, told = 0, 0
    local c = cluster.new { db = db, id = "a", log = function() end, look_s = 3600, nudge = function() told = told + 1 end }
    members[#members + 1] = c
    c:on("outbox", function() calls = calls + 1 end)
    assert(c:begin())
    for n = 1, 3 do
      assert(db:commit { cluster.bump "outbox" })
      c:hurry()
      process.eventually("it has looked", function() return calls == n end)
    end
    for _ = 1, 1000 do c:nudge() end
    process.eventually("told again, after a while", function() return told == 2 end)
    assert.is_false(c.nudging)
  end)

  it("tells every worker that something has changed, once for what came together", function()
    local calls = {}
    for _, id in ipairs { "a", "b" } do
      local c = member(id)
      c:on("tokens", function() calls[id] = (calls[id] or 0) + 1 end)
      c:on("plugins", function() calls.plugins = true end)
      assert(c:begin())
    end
    task.sleep(0.5)
    assert.is_nil(next(calls))
    assert(db:commit { cluster.bump "tokens", cluster.bump "tokens" })
    process.eventually("both know", function() return calls.a and calls.b end)
    assert.same({ a = 1, b = 1 }, calls)
  end)

  it("tells people where its workers are", function()
    local c = cluster.new { db = db, id = "here", log = function() end, info = { version = "9" } }
    c.shared, members[1] = true, c
    assert(c:begin())
    assert.same({ version = "9" }, json.decode(db:first("SELECT info FROM instances WHERE id = 'here'").info))
  end)

  it("does what one must do in one worker, and in another when that one stops", function()
    local a, b = member "a", member "b"
    local at_work = {}
    for _, c in ipairs { a, b } do
      c:lead("watch", function(lease)
        at_work[c.id] = lease
        while lease:held() do lease:sleep(0.05) end
        at_work[c.id] = nil
      end)
    end
    assert(a:begin())
    process.eventually("a leads", function() return at_work.a end)
    assert(b:begin())
    task.sleep(1)
    assert.is_nil(at_work.b)
    assert.is_true(at_work.a:held())
    a:close()
    process.eventually("b leads", function() return at_work.b end)
    assert.is_nil(at_work.a)
  end)

  it("lets nobody write who has lost the lease without noticing", function()
    local a, b = member "a", member "b"
    local lease_a, lease_b
    a:lead("watch", function(lease)
      lease_a = lease
      while lease:held() do lease:sleep(1) end
    end)
    b:lead("watch", function(lease)
      lease_b = lease
      while lease:held() do lease:sleep(1) end
    end)
    assert(a:begin())
    process.eventually("a leads", function() return lease_a end)
    local guard = lease_a:guard()
    a.runner:cancel() -- it stands still, and will not know
    assert(b:begin())
    process.eventually("b leads", function() return lease_b end)
    local ok, err = db:commit { guard, { "DELETE FROM tokens" } }
    assert.is_nil(ok)
    assert.equal("conflict", err.code)
    assert.is_false(lease_a:held())
    assert(db:commit { lease_b:guard() })
  end)

  it("tells once who is gone", function()
    local a, b = member "a", member "b"
    local dead = {}
    for _, c in ipairs { a, b } do
      c:on_dead(function(id) dead[#dead + 1] = id end, function() return {} end)
      assert(c:begin())
    end
    b.runner:cancel()
    process.eventually("b is missed", function() return #dead > 0 end)
    task.sleep(1.5)
    assert.same({ "b" }, dead)
    assert.is_nil(db:first "SELECT id FROM instances WHERE id = 'b'")
  end)

  it("tells who has left something behind and counts no heartbeats", function()
    local a = member "a"
    local dead = {}
    a:on_dead(function(id) dead[#dead + 1] = id end, function() return { "a", #dead == 0 and "stopped" or nil } end)
    assert(a:begin())
    process.eventually("it is missed", function() return #dead > 0 end)
    assert.same({ "stopped" }, dead)
  end)

  it("gives a worker of a home the same name after a restart", function()
    local home = host.temp_dir()
    local id = assert(cluster.identity(home, 1))
    assert.matches("^%x+/1$", id)
    assert.equal(id, cluster.identity(home, 1))
    assert.not_equal(id, cluster.identity(host.temp_dir(), 1))
  end)
end)
