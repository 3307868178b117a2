-- Allowances as workers share them, in each of the two places that keep them, by a clock of the spec.

local client = require "host.redis"
local database = require "spec.support.database"
local either = require "parley.limits.either"
local limits = require "parley.limits"
local redis_server = require "spec.support.redis"
local store = require "parley.store"
local support = require "spec.support.host"
local task = require "host.task"
local time = require "host.time"

local START = 1700000000000

-- What parley.shared says of Redis.
local function shared_with(redis)
  return {
    redis_client = function(self) return not self.away and redis or nil end,
    failed = function(self, err) self.away = err end,
  }
end

local function open_database()
  local home = support.temp_dir()
  return assert(store.open { database_url = database.url(home) or "sqlite:" .. home .. "/limits.db" })
end

for _, place in ipairs { "sql", "redis" } do describe("an allowance that workers share in " .. place, function()
  local db, redis, server, now, trips, shared, workers

  -- A worker whose own clock differs from the others' by `skew` seconds. Redis has but one.
  local function worker(policy, skew)
    local driver = either.new(db, shared, function() return START + (now + (skew or 0)) * 1000 end)
    local counted = setmetatable({
      reserve = function(_, ...)
        trips = trips + 1
        return driver:reserve(...)
      end,
      give_back = function(_, ...) return driver:give_back(...) end,
    }, { __index = driver })
    local self = limits.new { driver = counted, clock = function() return now end, log = function() end }
    self:configure { bot = policy, user = policy }
    workers[#workers + 1] = self
    return self
  end

  -- The time goes on: for Redis its windows have begun so much earlier.
  local function at(seconds)
    local earlier = math.floor((seconds - now) * 1000 + 0.5)
    now = seconds
    if not redis then return end
    for _, key in ipairs(redis:call("KEYS", "rate:*")) do
      assert(redis:call("HINCRBY", key, "since", -earlier))
    end
    for _, w in ipairs(workers) do
      for _, b in pairs(w.buckets) do b.window = b.window - earlier end
    end
  end

  local function used(key)
    if redis then return tonumber((redis:call("HGET", key, "used"))) end
    return db:first("SELECT used FROM rates WHERE key = $1", key).used
  end

  setup(function() if place == "redis" then server = redis_server.start() end end)
  teardown(function() if server then server:stop() end end)
  before_each(function()
    db = open_database()
    if server then
      redis = assert(client.open { url = server.url })
      assert(redis:call "FLUSHALL")
    end
    shared, now, trips, workers = shared_with(redis), 0, 0, {}
  end)
  after_each(function()
    db:close()
    if redis then redis:close() end
  end)

  -- How many of n requests are let through.
  local function take(self, n, id)
    local allowed = 0
    for _ = 1, n do
      if assert(self:take("bot", id or "b")).allowed then allowed = allowed + 1 end
    end
    return allowed
  end

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
    at(9.9)
    assert.equal(0, take(w, 9))
    at(10)
    assert.equal(5, take(w, 9))
    at(35.5) -- a window begins with its first request
    assert.equal(5, take(w, 9))
    at(45.4)
    assert.equal(0, take(w, 9))
    at(45.5)
    assert.equal(5, take(w, 9))
  end)

  it("tells what remains, and until when", function()
    local w = worker { requests = 3, seconds = 10 }
    local seen = {}
    for i = 1, 4 do
      local v = assert(w:take("bot", "b"))
      seen[i] = { v.allowed, v.limit, v.remaining, v.reset }
      at(now + 1.5)
    end
    assert.same({
      { true, 3, 2, 10 }, { true, 3, 1, 9 }, { true, 3, 0, 7 }, { false, 3, 0, 6 },
    }, seen)
    at(9.99)
    assert.equal(1, w:take("bot", "b").reset)
  end)

  it("keeps kinds and ids apart", function()
    local w = worker { requests = 2, seconds = 10 }
    assert.equal(2, take(w, 3, "a"))
    assert.equal(2, take(w, 3, "b"))
    assert.is_true(w:take("user", "a").allowed)
    assert.is_nil(w:take("plugin", "a")) -- nothing limits plugins here
    assert.same({ 2, 2, 1 }, { used "rate:bot:a", used "rate:bot:b", used "rate:user:a" })
  end)

  it("gets back what a worker has not used for a second", function()
    local idle, busy = worker { requests = 100, seconds = 60 }, worker { requests = 100, seconds = 60 }
    assert.equal(20, take(idle, 20))
    assert.is_true(take(busy, 100) < 80)
    at(0.5)
    assert.equal(0, idle:give_back())
    at(1)
    assert.equal(1, idle:give_back())
    assert.is_true(take(busy, 100) > 0)
    assert.equal(100, used "rate:bot:b")
    assert.equal(0, take(idle, 10) + take(busy, 10))
  end)

  it("does not get back what belongs to a window that has ended", function()
    local slow, other = worker { requests = 100, seconds = 10 }, worker { requests = 100, seconds = 10 }
    take(slow, 20)
    local b = slow.buckets["rate:bot:b"]
    at(10)
    assert.equal(10, take(other, 10))
    local before = used "rate:bot:b"
    assert(slow.driver:give_back { { key = "rate:bot:b", window = b.window, n = 5, from = b.from } })
    assert.equal(before, used "rate:bot:b")
    assert.equal(0, slow:give_back()) -- it knows itself
  end)

  if place == "sql" then it("holds when the clocks of its workers differ", function()
    local ahead, behind = worker({ requests = 10, seconds = 10 }, 3), worker({ requests = 10, seconds = 10 }, -3)
    local allowed = take(behind, 4) + take(ahead, 20) + take(behind, 20)
    assert.equal(10, allowed)
    at(9) -- for the one ahead the window has ended; the other is in the new one with it
    assert.equal(10, take(ahead, 20) + take(behind, 20))
  end) end

  it("is not shut by a clock that was an hour ahead", function()
    take(worker({ requests = 2, seconds = 10 }, 3600), 5)
    if redis then assert(redis:call("HINCRBY", "rate:bot:b", "since", 3600000)) end
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
end) end

describe("an allowance in Redis", function()
  local server, redis, db, shared, worker
  before_each(function()
    server, db = redis_server.start(), open_database()
    redis = assert(client.open { url = server.url, timeout_ms = 500 })
    shared = shared_with(redis)
    worker = limits.new {
      driver = either.new(db, shared, time.now_ms), clock = time.mono, log = function() end,
    }
    worker:configure { bot = { requests = 3, seconds = 3600 } }
  end)
  after_each(function()
    redis:close()
    server:stop()
    db:close()
  end)

  local function allowed(id) return assert(worker:take("bot", id)).allowed end

  it("lives no longer than its window, and leaves the database alone", function()
    assert.is_true(allowed "b")
    local ttl = redis:call("PTTL", "rate:bot:b")
    assert.is_true(ttl > 0 and ttl <= 3600000, ttl)
    assert.equal(0, db:first("SELECT count(*) AS n FROM rates").n)
  end)

  it("is kept by the database at once while Redis is away", function()
    assert.is_true(allowed "b")
    server:kill()
    for i = 1, 4 do assert.equal(i < 4, allowed "other") end
    assert.is_table(shared.away)
    assert.equal(3, db:first("SELECT used FROM rates WHERE key = 'rate:bot:other'").used)
    assert.is_number(worker:give_back(0))
  end)

  it("is kept by the database when its key in Redis is something else", function()
    assert(redis:call("SET", "rate:bot:b", "x"))
    assert.is_true(allowed "b")
    assert.equal(1, db:first("SELECT used FROM rates").used)
  end)
end)
