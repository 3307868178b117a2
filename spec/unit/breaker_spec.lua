local breaker = require "parley.util.breaker"

describe("a circuit breaker", function()
  local now, changes, b
  local function call(good)
    local permit = b:enter()
    if not permit then return false end
    b:report(permit, good)
    return true
  end
  local function calls(n, good) for _ = 1, n do call(good) end end

  before_each(function()
    now, changes = 1000, {}
    b = breaker.new {
      clock = function() return now end, window = 10, min_calls = 4, share = 0.5, open_for = 5, probes = 2,
      on_change = function(state, before) changes[#changes + 1] = before .. ">" .. state end,
    }
  end)

  it("stays closed below its number of calls and its share of failures", function()
    calls(3, false)
    assert.equal("closed", b.state)
    calls(100, true)
    calls(50, false)
    assert.equal("closed", b.state)
  end)

  it("opens at its share, and lets nothing through while it is open", function()
    calls(2, true)
    calls(2, false)
    assert.equal("open", b.state)
    now = now + 4
    local permit, left = b:enter()
    assert.is_nil(permit)
    assert.equal(1, left)
    assert.equal(1, b:stats().retry_after)
  end)

  it("forgets failures that are older than its window", function()
    calls(3, false)
    now = now + 11
    call(false)
    assert.equal("closed", b.state)
    assert.equal(1, b:stats().bad)
  end)

  it("closes after its probes, one at a time", function()
    calls(4, false)
    now = now + 5
    local permit = assert(b:enter())
    assert.equal("half_open", b.state)
    assert.is_nil((b:enter()))
    b:report(permit, true)
    assert.equal("half_open", b.state)
    assert.is_true(call(true))
    assert.equal("closed", b.state)
    assert.same({ "closed>open", "open>half_open", "half_open>closed" }, changes)
    assert.same({ 0, 0 }, { b:stats().good, b:stats().bad })
  end)

  it("shuns who can go elsewhere, until a probe is due", function()
    assert.is_false(b:shuns())
    calls(4, false)
    assert.is_true(b:shuns())
    now = now + 5
    assert.is_false(b:shuns())
    local permit = b:enter()
    assert.is_true(b:shuns())
    b:report(permit, true)
    assert.is_false(b:shuns())
    call(true)
    assert.same({ "closed", false }, { b.state, b:shuns() })
  end)

  it("lets one call through at a time when it is told to doubt", function()
    b:doubt()
    local permit = assert(b:enter())
    assert.is_nil((b:enter()))
    b:report(permit, true)
    call(true)
    assert.equal("closed", b.state)
    calls(4, false)
    b:doubt() -- knows better already
    assert.equal("open", b.state)
  end)

  it("opens again at once when a probe fails", function()
    calls(4, false)
    now = now + 5
    call(true)
    call(false)
    assert.equal("open", b.state)
    now = now + 4.9
    assert.is_false(call(true))
    now = now + 0.1
    assert.is_true(call(true))
  end)

  it("waits for a probe that never reports no longer than it stays open", function()
    calls(4, false)
    now = now + 5
    assert(b:enter())
    now = now + 4.9
    assert.is_nil((b:enter()))
    now = now + 0.1
    assert.is_truthy((b:enter()))
  end)

  it("does not count a call that began before it opened", function()
    local slow = b:enter()
    calls(4, false)
    now = now + 5
    local probe = b:enter()
    b:report(slow, false)
    assert.equal("half_open", b.state)
    b:report(probe, true)
    b:report(slow, true)
    assert.equal("half_open", b.state)
  end)
end)
