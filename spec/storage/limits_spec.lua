-- Allowances as the workers of one database share them, by a clock of the spec.

local database = require "spec.support.database"
local limits = require "parley.limits"
local sql = require "parley.limits.sql"
local store = require "parley.store"
local support = require "spec.support.host"
local task = require "host.task"

local START = 1700000000000

describe("an allowance that workers share", function()
  local db, now, trips

  -- A worker whose own clock differs from the others' by `skew` seconds.
  local function worker(policy, skew)
    local driver = sql.new(db, function() return START + (now + (skew or 0)) * 1000 end)
    local counted = setmetatable({
      reserve = function(_, ...)
        trips = trips + 1
        return driver:reserve(...)
      end,
    }, { __index = driver })
    local self = limits.new { driver = counted, clock = function() return now end, log = function() end }
    self:configure { bot = policy, user = policy }
    return self
  end

  -- How many of n requests are let through.
  local function take(self, n, id)
    local allowed = 0
    for _ = 1, n do
      if assert(self:take("bot", id or "b")).allowed then allowed = allowed + 1 end
    end
    return allowed
  end

  before_each(function()
    local home = support.temp_dir()
    db = assert(store.open { database_url = database.url(home) or "sqlite:" .. home .. "/limits.db" })
    now, trips = 0, 0
  end)
  after_each(function() db:close() end)

  it("is exact, whatever its size and however many share it", function()
    for _, case in ipairs {
      { requests = 1, workers = 1 }, { requests = 1, workers = 3 }, { requests = 2, workers = 3 },
      { requests = 7, workers = 2 }, { requests = 20, workers = 4 }, { requests = 100, workers = 3 },
      { requests = 1000, workers = 2 },
    } do
      local id, list, allowed = ("%d/%d"):format(case.requests, case.workers), {}, 0
      for i = 1, case.workers do list[i] = worker { requests = case.requests, seconds = 10 } end
      for i = 1, case.requests * 2 + 50 do
        allowed = allowed + take(list[i % case.workers + 1], 1, id)
      end
      assert.equal(case.requests, allowed, id)
    end
  end)

  it("is exact for requests that come at the same time", function()
    local list, allowed, tasks = {}, 0, {}
    for i = 1, 3 do list[i] = worker { requests = 40, seconds = 10 } end
    for i = 1, 120 do
      tasks[i] = task.spawn(function()
        local n = take(list[i % 3 + 1], 1) -- waits
        allowed = allowed + n
      end)
    end
    for _, t in ipairs(tasks) do assert(t:join()) end
    assert.equal(40, allowed)
  end)

  it("costs few round trips: none for most requests that it lets through, none for those it refuses", function()
    local w = worker { requests = 10000, seconds = 60 }
    assert.equal(10000, take(w, 10000))
    assert.is_true(trips < 100, trips .. " trips")
    trips = 0
    assert.equal(0, take(w, 5000))
    assert.equal(1, trips)
  end)

  it("begins anew when its window has ended, and not before", function()
    local w = worker { requests = 5, seconds = 10 }
    assert.equal(5, take(w, 9))
    now = 9.9
    assert.equal(0, take(w, 9))
    now = 10
    assert.equal(5, take(w, 9))
    now = 35.5 -- a window begins with its first request
    assert.equal(5, take(w, 9))
    now = 45.4
    assert.equal(0, take(w, 9))
    now = 45.5
    assert.equal(5, take(w, 9))
  end)

  it("tells what remains, and until when", function()
    local w = worker { requests = 3, seconds = 10 }
    local seen = {}
    for i = 1, 4 do
      local v = assert(w:take("bot", "b"))
      seen[i] = { v.allowed, v.limit, v.remaining, v.reset }
      now = now + 1.5
    end
    assert.same({
      { true, 3, 2, 10 }, { true, 3, 1, 9 }, { true, 3, 0, 7 }, { false, 3, 0, 6 },
    }, seen)
    now = 9.99
    assert.equal(1, w:take("bot", "b").reset)
  end)

  it("keeps kinds and ids apart", function()
    local w = worker { requests = 2, seconds = 10 }
    assert.equal(2, take(w, 3, "a"))
    assert.equal(2, take(w, 3, "b"))
    assert.is_true(w:take("user", "a").allowed)
    assert.is_nil(w:take("plugin", "a")) -- nothing limits plugins here
    local keys = {}
    for _, row in ipairs(assert(db:query "SELECT key FROM rates ORDER BY key")) do
      keys[#keys + 1] = row.key
    end
    assert.same({ "rate:bot:a", "rate:bot:b", "rate:user:a" }, keys)
  end)

  it("gets back what a worker has not used for a second", function()
    local idle, busy = worker { requests = 100, seconds = 60 }, worker { requests = 100, seconds = 60 }
    assert.equal(20, take(idle, 20))
    assert.is_true(take(busy, 100) < 80)
    now = 0.5
    assert.equal(0, idle:give_back())
    now = 1
    assert.equal(1, idle:give_back())
    assert.is_true(take(busy, 100) > 0)
    assert.equal(100, db:first("SELECT used FROM rates").used)
    assert.equal(0, take(idle, 10) + take(busy, 10))
  end)

  it("does not get back what belongs to a window that has ended", function()
    local slow, other = worker { requests = 100, seconds = 10 }, worker { requests = 100, seconds = 10 }
    take(slow, 20)
    local block = { key = "rate:bot:b", window = START, n = 5 }
    now = 10
    assert.equal(10, take(other, 10))
    local used = db:first("SELECT used FROM rates").used
    assert(sql.new(db, function() return START end):give_back { block })
    assert.equal(used, db:first("SELECT used FROM rates").used)
    assert.equal(0, slow:give_back()) -- it knows itself
  end)

  it("holds when the clocks of its workers differ", function()
    local ahead, behind = worker({ requests = 10, seconds = 10 }, 3), worker({ requests = 10, seconds = 10 }, -3)
    local allowed = take(behind, 4) + take(ahead, 20) + take(behind, 20)
    assert.equal(10, allowed)
    now = 9 -- for the one ahead the window has ended; the other is in the new one with it
    assert.equal(10, take(ahead, 20) + take(behind, 20))
  end)

  it("is not shut by a clock that was an hour ahead", function()
    take(worker({ requests = 2, seconds = 10 }, 3600), 5)
    assert.equal(2, take(worker { requests = 2, seconds = 10 }, 5))
  end)

  it("takes up other limits without giving anything twice", function()
    local w = worker { requests = 10, seconds = 60 }
    assert.equal(6, take(w, 6))
    w:configure { bot = { requests = 8, seconds = 60 } }
    assert.equal(2, take(w, 9))
    w:configure { bot = { requests = 12, seconds = 60 } }
    assert.equal(4, take(w, 9))
    w:configure {}
    assert.is_nil(w:take("bot", "b"))
  end)

  it("passes on that the database is away, and works again after it", function()
    local w = worker { requests = 2, seconds = 60 }
    local broken = true
    local reserve = w.driver.reserve
    w.driver.reserve = function(...)
      if broken then return nil, { code = "unavailable", message = "away" } end
      return reserve(...)
    end
    local verdict, err = w:take("bot", "b")
    assert.is_nil(verdict)
    assert.equal("unavailable", err.code)
    broken = false
    assert.equal(2, take(w, 3))
  end)

  it("asks again when the request that was to bring a block has died", function()
    local w = worker { requests = 2, seconds = 60 }
    local reserve = w.driver.reserve
    w.driver.reserve = function() error "out of luck" end
    assert.has_error(function() w:take("bot", "b") end)
    w.driver.reserve = reserve
    assert.equal(2, take(w, 3))
  end)
end)
