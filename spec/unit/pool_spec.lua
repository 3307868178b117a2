local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local pool = require "parley.plugins.pool"
local task = require "host.task"

local COUNTER = [[
local p = parley.plugin()
local n = 0
p.on.command("count", function(c, how)
  n = n + 1
  if how == "spin" then while true do end end
  if how == "wait" then c.kv:get "x" end
  c:reply(tostring(n))
end)
return p
]]

local function plugin(name)
  local m = assert(manifest.check(([[{"schema":"v1alpha","name":"%s","version":"1.0.0","api":"1","transport":"lua",
    "limits":{"cpu_ms":20},"permissions":["kv"],"commands":[{"name":"count"}]}]]):format(name)))
  return assert(lua_driver.new(m, { main = COUNTER, lib = {} }))
end

local function ask(driver, how, serve)
  local r, err = driver:invoke({
    invocation_id = "i", attempt = 1, deadline_ms = 5000, plugin = driver.manifest.name,
    dialog = { id = "d", channel = "api", reset_version = 0, state = {} },
    user = { id = "u", role = "user", locale = "en" }, config = {}, trace_id = ("0"):rep(32),
    event = { type = "text", message = { type = "text", text = "/count " .. (how or "") } },
  }, serve or function() return nil end)
  return r and r.actions[1].text, err and err.code
end

describe("the states of Lua plugins", function()
  local drivers
  local function make(n)
    drivers = {}
    for i = 1, n do drivers[i] = plugin("counter" .. i) end
    return drivers
  end
  local function resident()
    local out = {}
    for i, d in ipairs(drivers) do
      if d.state then out[#out + 1] = i end
    end
    return table.concat(out, " ")
  end
  local before
  before_each(function() before = pool.stats() end)
  after_each(function()
    pool.configure(math.huge)
    for _, d in ipairs(drivers) do d:close() end
    assert.equal(before.states, pool.stats().states)
    assert.equal(before.bytes, pool.stats().bytes)
  end)

  it("are all checked, and of those that do not fit none is kept", function()
    pool.configure(before.bytes + 500 * 1024, 0)
    make(20)
    local s = pool.stats()
    assert.equal(20, s.opened - before.opened)
    assert.is_true(s.bytes <= before.bytes + 500 * 1024)
    assert.is_true(s.states > before.states)
    assert.equal(20 - (s.states - before.states), s.closed - before.closed)
    -- Each answers nevertheless.
    for _, d in ipairs(drivers) do assert.equal("1", (ask(d))) end
  end)

  it("are closed when others were used later", function()
    make(4)
    for i = 1, 4 do ask(drivers[i]) end
    ask(drivers[1])
    assert.equal("1 2 3 4", resident())
    local each = (pool.stats().bytes - before.bytes) / 4
    pool.configure(before.bytes + 2.5 * each, 0)
    ask(drivers[3])
    assert.equal("1 3", resident())
    -- What was in variables of the file is gone, and begins anew.
    assert.equal("3", (ask(drivers[1])))
    assert.equal("1", (ask(drivers[2])))
    assert.equal("1 2", resident())
  end)

  it("stay while they are used, whatever they take", function()
    make(4)
    for i = 1, 4 do ask(drivers[i]) end
    pool.configure(1)
    assert.equal("2", (ask(drivers[1])))
    assert.equal("1 2 3 4", resident())
  end)

  it("let the calls finish that are in them", function()
    make(2)
    local answer
    local waiting = task.spawn(function()
      answer = ask(drivers[1], "wait", function()
        task.sleep(0.01)
        return nil
      end)
    end)
    task.sleep(0.001)
    pool.configure(1, 0)
    ask(drivers[2])
    assert.equal("2", resident())
    waiting:join()
    assert.equal("1", answer)
  end)

  it("are built once for all events that wait for one", function()
    make(1)
    assert.same({ nil, "cpu_limit" }, { ask(drivers[1], "spin") })
    local opened, answers, tasks = pool.stats().opened, {}, {}
    for i = 1, 20 do
      tasks[i] = task.spawn(function()
        local text = ask(drivers[1])
        answers[#answers + 1] = text
      end)
    end
    for _, t in ipairs(tasks) do t:join() end
    assert.equal(opened + 1, pool.stats().opened)
    table.sort(answers, function(a, b) return tonumber(a) < tonumber(b) end)
    assert.equal("1 2 3", table.concat(answers, " ", 1, 3))
    assert.equal("20", answers[20])
  end)
end)
