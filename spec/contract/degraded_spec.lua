-- Degraded plugins, and those whose circuit is open: asked when nothing active fits, and by probes.

local host = require "spec.support.host"
local task = require "host.task"

local function plugin(name, priority)
  return {
    manifest = { patterns = { "^ask" }, priority = priority, limits = { cpu_ms = 20 }, on_error = "reply" },
    main = ([[local p = parley.plugin()
      p.on.text("^ask bad", function() while true do end end)
      p.on.text("^ask", function(c) c:reply %q end)
      return p]]):format(name),
  }
end

describe("a plugin in trouble", function()
  local h, first, second
  before_each(function()
    h = host.start { plugins = { first = plugin("first", 900), second = plugin("second", 800) } }
    first, second = h.core.manager.current.chooser.by_name.first, h.core.manager.current.chooser.by_name.second
  end)
  after_each(function() h:stop() end)

  local function who(text) return h:say("d", text or "ask").body.plugin end
  local function answered() return (who() or {}).name end

  local function open_circuit()
    for _ = 1, 10 do assert.is_nil(who "ask bad") end -- on_error = "reply"
    assert.equal("open", first.circuit.state)
  end

  local function later() first.circuit.opened_at = first.circuit.opened_at - 20 end

  it("is left alone while another one fits, and gets its place back by two probes", function()
    assert.equal("first", answered())
    open_circuit()
    assert.equal("second", answered())
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM plugin_calls WHERE error_code = 'circuit_open'").n)
    later()
    assert.equal("first", answered())
    assert.equal("half_open", first.circuit.state)
    assert.equal("first", answered())
    assert.equal("closed", first.circuit.state)
  end)

  it("costs nobody an answer when its probe fails and another one fits", function()
    open_circuit()
    second.driver.invoke = function() return { actions = { { type = "send", text = "second" } } } end
    later()
    local r = h:say("d", "ask bad").body
    assert.same({ "answered", "second", "second" }, { r.status, r.plugin.name, r.text })
    assert.equal("open", first.circuit.state)
    local row = h.core.db:first("SELECT error_code FROM plugin_calls WHERE plugin_id = 'first' AND id = "
      .. "(SELECT max(id) FROM plugin_calls WHERE plugin_id = 'first')")
    assert.equal("cpu_limit", row.error_code)
  end)

  it("is asked when nothing else fits, and its on_error holds", function()
    open_circuit()
    second.state = "disabled"
    local r = h:say("d", "ask").body
    assert.same({ "failed", "That did not work just now. Please try again later." }, { r.status, r.text })
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM plugin_calls WHERE error_code = 'circuit_open'").n)
    later()
    assert.equal("first", answered())
  end)

  it("comes last while it is degraded, and is called one at a time until it has answered again", function()
    first.state = "degraded"
    assert.equal("second", answered())
    second.state = "disabled"
    local go, running, most = task.cond(), 0, 0
    first.driver.invoke = function()
      running = running + 1
      most = math.max(most, running)
      go:wait(5)
      running = running - 1
      return { actions = { { type = "send", text = "slow" } } }
    end
    local tasks = {}
    for i = 1, 3 do tasks[i] = task.spawn(function() return h:say("d" .. i, "ask").body.status end) end
    while running == 0 do task.sleep(0.01) end
    task.sleep(0.05)
    go:broadcast()
    local seen = {}
    for i = 1, 3 do seen[i] = select(2, tasks[i]:join(60)) end
    table.sort(seen)
    assert.same({ "answered", "failed", "failed" }, seen)
    assert.equal(1, most)
    assert.equal("half_open", first.circuit.state)
    first.driver.invoke = function() return { actions = { { type = "send", text = "quick" } } } end
    assert.equal("first", answered())
    assert.equal("closed", first.circuit.state)
    first.state = "active"
    assert.equal("first", answered())
  end)
end)
