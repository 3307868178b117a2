-- Whether a canary is worse, and which dialogs get it.

local compare = require "parley.deployments.compare"
local crypto = require "host.crypto"
local latency = require "parley.deployments.latency"
local share = require "parley.deployments.share"
local statistics = require "parley.deployments.statistics"

local LIMITS = { min_calls = 100, error_margin = 0.01, latency_ratio = 1.5 }

-- The same numbers at every run.
local function generator(seed)
  local x = seed
  return function()
    x = (x * 1103515245 + 12345) % 2147483648
    return math.floor(x / 8) / 268435456
  end
end

local function tally(calls, errors, ms, critical)
  local t = compare.tally()
  t.calls, t.errors, t.critical = calls, errors, critical or {}
  t.latency[latency.class(ms or 5)] = calls
  return t
end

local function worse(canary, stable, look)
  local whole = { canary = canary, stable = stable }
  local none = { canary = compare.tally(), stable = compare.tally() }
  return compare.is_worse(whole, none, LIMITS, look or statistics.look(canary.calls))
end

describe("Fisher's exact test", function()
  it("gives the probabilities that can be counted by hand", function()
    -- 3 of 3 against 0 of 3: one of the 20 ways to choose 3 of 6
    assert.near(1 / 20, statistics.fisher(3, 3, 0, 3), 1e-12)
    -- the lady tasting tea: 3 or 4 of 4 right
    assert.near(17 / 70, statistics.fisher(3, 4, 1, 4), 1e-12)
    assert.near(1 / 34220, statistics.fisher(3, 3, 0, 57), 1e-12)
  end)

  it("finds nothing where there is nothing", function()
    for _, case in ipairs { { 0, 10, 5, 10 }, { 5, 10, 5, 10 }, { 3, 3, 0, 0 }, { 0, 0, 3, 3 }, { 1, 100, 9, 900 } } do
      assert.equal(1, statistics.fisher(unpack(case)))
    end
  end)

  it("agrees with the sum written out, for small and for large numbers", function()
    local function choose(n, k)
      local out = 1
      for i = 1, k do out = out * (n - k + i) / i end
      return out
    end
    for _, case in ipairs { { 7, 30, 4, 60 }, { 12, 40, 3, 45 }, { 2, 50, 0, 300 }, { 20, 90, 10, 95 } } do
      local hits, n, other, m = unpack(case)
      local sum = 0
      for k = hits, math.min(n, hits + other) do sum = sum + choose(n, k) * choose(m, hits + other - k) end
      assert.near(sum / choose(n + m, hits + other), statistics.fisher(hits, n, other, m), 1e-9)
    end
    -- Of a hundred thousand each the normal distribution is a good measure: 2 % against 1.9 %, z = 1.6176
    assert.near(0.0528, statistics.fisher(2000, 100000, 1900, 100000), 0.002)
    assert.is_true(statistics.fisher(5000, 100000, 1000, 1000000) < 1e-300)
  end)
end)

describe("the looks at a canary", function()
  it("come when its calls have grown by a quarter, and may be wrong only once in a hundred runs together", function()
    assert.is_nil(statistics.look(2))
    assert.equal(0, statistics.look(3))
    local before, looks = -1, 0
    for n = 3, 1000000 do
      local look = statistics.look(n)
      assert.is_true(look == before or look > before)
      if look ~= before then looks = looks + 1 end
      before = look
    end
    assert.is_true(looks < 60)
    local sum = 0
    for look = 0, 100000 do sum = sum + statistics.spend(0.01, look) end
    assert.is_true(sum <= 0.01)
    assert.near(0.01, sum, 1e-6)
  end)
end)

describe("the classes of latency", function()
  it("hold every time between their bounds", function()
    for class = 1, 79 do
      assert.equal(class, latency.class(latency.bound(class)))
      assert.equal(class + 1, latency.class(latency.bound(class) * 1.01))
    end
    assert.equal(0, latency.class(0))
    assert.equal(80, latency.class(1e9))
  end)

  it("give quantiles", function()
    assert.is_nil(latency.quantile({}, 0.5))
    local counts = {}
    for ms = 1, 100 do
      local class = latency.class(ms)
      counts[class] = (counts[class] or 0) + 1
    end
    for _, q in ipairs { 0.01, 0.5, 0.95, 1 } do
      local got = latency.quantile(counts, q)
      assert.is_true(got >= 100 * q and got <= 100 * q * 1.2, q .. ": " .. got)
    end
    assert.equal(100 - math.floor(latency.bound(latency.class(50))), latency.above(counts, 50))
  end)
end)

describe("a canary", function()
  it("that fails at each call is found at the third", function()
    assert.matches("3 of 3 calls failed %(100.0 %%%), of the stable version 0 of 57", (worse(tally(3, 3), tally(57, 0))))
  end)

  it("is no worse by what a handful of calls may show by chance", function()
    assert.is_nil(worse(tally(3, 1), tally(57, 1)))
    assert.is_nil(worse(tally(3, 3), tally(3, 0)))
    assert.is_nil(worse(tally(3, 3), tally(0, 0)))
    assert.is_nil(worse(tally(50, 2), tally(950, 4)))
  end)

  it("is no worse when others fail as often", function()
    assert.is_nil(worse(tally(100, 60), tally(1900, 1140)))
  end)

  it("may be a little worse, if that is certain, too", function()
    assert.is_nil(worse(tally(100000, 900), tally(1000000, 1000))) -- 0.8 points of a hundred
    assert.is_string(worse(tally(100000, 1200), tally(1000000, 1000)))
  end)

  it("that is much slower is found", function()
    assert.matches("95 of 100 calls take up to 2%d%d ms, of the stable version up to %d+%.?%d* ms",
      (worse(tally(10, 0, 200), tally(200, 0, 20))))
  end)

  it("is not slow by a few milliseconds, nor against a handful of calls", function()
    assert.is_nil(worse(tally(1000, 0, 5), tally(20000, 0, 0.2)))
    assert.is_nil(worse(tally(100, 0, 200), tally(15, 0, 20)))
  end)

  it("that is slow in one call of twenty is as the stable version may be", function()
    local canary = tally(190, 0, 20)
    canary.latency[latency.class(500)], canary.calls = 10, 200
    assert.is_nil(worse(canary, tally(4000, 0, 20)))
  end)

  it("is worse at once when it crashes or hangs, and when it alone runs out of memory", function()
    for what, words in pairs { crash = "crashed", hang = "hung", memory_limit = "memory", circuit = "circuit" } do
      local reason, kind = worse(tally(1, 1, 5, { [what] = 1 }), tally(1, 0))
      assert.matches(words, reason)
      assert.equal(what, kind)
    end
    assert.is_nil(worse(tally(3, 1, 5, { memory_limit = 1 }), tally(60, 20, 5, { memory_limit = 7 })))
    assert.is_string(worse(tally(3, 1, 5, { hang = 1 }), tally(60, 20, 5, { hang = 7 })))
  end)

  it("that has begun to fail late is found by its latest calls", function()
    local whole = { canary = tally(10000, 30), stable = tally(190000, 10) }
    local recent = { canary = tally(60, 30), stable = tally(1200, 1) }
    assert.is_nil(worse(whole.canary, whole.stable))
    assert.matches("30 of 60", (compare.is_worse(whole, recent, LIMITS)))
  end)

  it("as good as the stable version is called worse once in a hundred trials at most", function()
    local random = generator(7)
    local wrong, TRIALS = 0, 400
    for _ = 1, TRIALS do
      local canary, stable, last = compare.tally(), compare.tally(), -1
      for _ = 1, 6000 do
        local t = random() < 0.1 and canary or stable
        t.calls, t.errors = t.calls + 1, t.errors + (random() < 0.05 and 1 or 0)
        local class = latency.class(20 * (0.5 + random() ^ 8 * 20))
        t.latency[class] = (t.latency[class] or 0) + 1
        local look = statistics.look(canary.calls)
        if t == canary and look and look > last then
          last = look
          if worse(canary, stable, look) then
            wrong = wrong + 1
            break
          end
        end
      end
    end
    assert.is_true(wrong <= TRIALS / 100, wrong .. " of " .. TRIALS)
  end)

  it("is promoted when there were enough calls of both, and no doubt", function()
    local function obstacle(canary, stable) return compare.obstacle({ canary = canary, stable = stable }, LIMITS) end
    assert.is_nil(obstacle(tally(100, 1), tally(1900, 10)))
    assert.matches("only 99 calls of the canary version, 100 are needed", obstacle(tally(99, 0), tally(1900, 0)))
    assert.matches("only 12 calls of the stable version", obstacle(tally(100, 0), tally(12, 0)))
    assert.matches("in doubt: 6 of 100", obstacle(tally(100, 6), tally(1900, 20)))
  end)
end)

describe("tallies", function()
  it("add up", function()
    local sum = compare.add(compare.add(compare.tally(), tally(3, 1, 5, { hang = 1 })), tally(4, 2, 5, { hang = 2 }))
    assert.same({ 7, 3, { hang = 3 }, 7 }, { sum.calls, sum.errors, sum.critical, sum.latency[latency.class(5)] })
    assert.same({ 7, 3 }, { compare.summary(sum).calls, compare.summary(sum).errors })
    assert.is_nil(compare.summary(compare.tally()).p95_ms)
  end)
end)

describe("the share of dialogs", function()
  it("is as large as it should be, for any deployment", function()
    for _ = 1, 5 do
      local id = crypto.uuid7()
      for _, part in ipairs { 100, 500, 2500 } do
        local n, ALL = 0, 20000
        for i = 1, ALL do if share.has(id, "tg:shop:" .. i, part) then n = n + 1 end end
        -- Six standard deviations: once in five hundred million times by chance.
        local expected = ALL * part / 10000
        assert.is_true(math.abs(n - expected) < 6 * math.sqrt(expected * (1 - part / 10000)), part .. ": " .. n)
      end
    end
  end)

  it("keeps a dialog where it is, and whoever was in when it grows", function()
    local id, inside = crypto.uuid7(), 0
    for i = 1, 2000 do
      local dialog = "d" .. i
      local small, large = share.has(id, dialog, 500), share.has(id, dialog, 2000)
      assert.equal(small, share.has(id, dialog, 500))
      if small then
        inside = inside + 1
        assert.is_true(large)
      end
    end
    assert.is_true(inside > 0)
  end)

  it("draws others for another deployment", function()
    local a, b, both, n = crypto.uuid7(), crypto.uuid7(), 0, 0
    for i = 1, 10000 do
      local first = share.has(a, "d" .. i, 1000)
      if first then n = n + 1 end
      if first and share.has(b, "d" .. i, 1000) then both = both + 1 end
    end
    assert.is_true(both < n / 4)
  end)

  it("has nobody at nothing, and everybody at all", function()
    local id = crypto.uuid7()
    for i = 1, 500 do
      assert.is_false(share.has(id, "d" .. i, 0))
      assert.is_true(share.has(id, "d" .. i, share.ALL))
    end
  end)
end)
