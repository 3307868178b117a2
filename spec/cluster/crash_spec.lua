-- A plugin that ends the process it runs in: the host goes on without it, for good, and says so.

local database = require "spec.support.database"
local fs = require "host.fs"
local host = require "spec.support.host"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local store = require "parley.store"
local task = require "host.task"

local CRASHER = [[
local p = parley.plugin()
p.on.command("crasher", function(c, how)
  if how == "spin" then while true do end end
  if how == "fill" then
    local t = {}
    while true do t[#t + 1] = { #t } end
  end
  if how == "later" then c:schedule { ["in"] = 0, job = "fall" } return c:reply "noted" end
  if how == "vanish later" then c:schedule { ["in"] = 0, job = "vanish" } return c:reply "noted" end
  if _G[how] then _G[how]() end
  c:reply "alive"
end)
p.on.job("fall", function() SEGV() end)
p.on.job("vanish", function() KILL() end)
return p
]]

local function plugin(main, more)
  local manifest = {
    permissions = { "jobs" }, limits = { cpu_ms = 5000, timeout_ms = 20000 },
  }
  for k, v in pairs(more or {}) do manifest[k] = v end
  return { main = main, manifest = manifest }
end

describe("a plugin that crashes the host", function()
  local h, db
  local workers = database.is_postgres and 2 or 1

  local function start(main, home, conf, late)
    h = serve.start {
      home = home, argv = { programs.EXE, "lua", "spec/chaos/sabotage.lua" },
      env = { SPEC_SABOTAGE = "crashing_code", PARLEY_WORKERS = tostring(workers), SPEC_CRASH_LATE = late },
      prepare = not home and function(path)
        host.write_plugin({ home = path }, "crasher", plugin(main))
        if not conf then return end
        assert(fs.mkdir(path .. "/conf"))
        assert(fs.write(path .. "/conf/parley.lua", conf))
      end or nil,
    }
    db = assert(store.open({ database_url = database.url(h.home) or "sqlite:" .. h.home .. "/data/parley.db" },
      { migrate = false }))
  end

  local function stop()
    if not h then return end
    db:close()
    h:close()
    h = nil
  end
  after_each(stop)

  -- Nobody answers while a worker is replaced.
  local function status() return serve.eventually("the status", function() return (h:status()) end) end

  local function states()
    local out = {}
    for i, w in ipairs(status().workers) do
      out[i] = "down"
      for _, p in ipairs(w.status and w.status.plugins or {}) do
        if p.name == "crasher" then out[i] = p.state end
      end
    end
    return table.concat(out, " ")
  end

  local everywhere = ("disabled "):rep(workers):sub(1, -2)
  local nowhere = ("active "):rep(workers):sub(1, -2)

  local function restarts()
    local n = 0
    for _, w in ipairs(status().workers) do n = n + w.restarts end
    return n
  end

  local function failures()
    return db:query("SELECT details, trace_id FROM audit_logs WHERE source = 'crasher' AND action = 'plugin_failed' "
      .. "AND severity = 'critical' ORDER BY id")
  end

  -- TR-008 disables it once more, a little later: an operator who reloads before that has reloaded in vain.
  local function disabled_by_trigger()
    return #db:query "SELECT 1 FROM audit_logs WHERE source = 'trigger:TR-008' AND action = 'plugin_disabled'"
  end

  local function letters() return db:query "SELECT source, error, attempts FROM dead_letters" end

  it("is disabled after the first time in every worker, and after a restart, until an operator reloads", function()
    start(CRASHER)
    for i, signal in ipairs { "SEGV", "BUS", "ILL", "FPE", "ABRT" } do
      assert.equal("alive", h:say("d", "/crasher").body.text)
      local _, err = h:say("d" .. i, "/crasher " .. signal)
      assert.truthy(err, "no crash by " .. signal)
      serve.eventually("the end of the plugin after " .. signal, function() return states() == everywhere end)
      serve.eventually("the event", function() return #failures() == i end)
      serve.eventually("the trigger", function() return disabled_by_trigger() == i end)
      local details = failures()[i].details
      assert.matches('"code":"crash"', details)
      assert.matches('"signal":"' .. signal .. '"', details)
      assert.matches('"of_trace_id":"%x+"', details)
      assert.equal(i, restarts())
      assert.equal("fallback", h:say("d", "/crasher").body.status)
      assert.equal("hi", h:say("d", "/echo hi").body.text)
      if signal ~= "ABRT" then assert.equal(0, (h:run "reload")) end
      serve.eventually("its return", function() return signal == "ABRT" or states() == nowhere end)
    end
    local line = h:file "err":match "[^\n]*ended by signal 11[^\n]*" or h:file "err":match "[^\n]*exited with 1\"[^\n]*"
    assert.matches('"plugin":"crasher"', line)
    local home = h.home
    stop()
    start(nil, home)
    assert.equal(everywhere, states())
    assert.equal(0, restarts())
    assert.equal("fallback", h:say("d", "/crasher").body.status)
    assert.equal(0, (h:run "reload"))
    assert.equal("alive", h:say("d", "/crasher").body.text)
  end)

  it("is not even loaded when that is what crashes", function()
    start(CRASHER)
    host.write_plugin({ home = h.home }, "crasher", plugin("SEGV()\n" .. CRASHER))
    h:run "reload"
    serve.eventually("the end of the plugin", function() return states() == everywhere end)
    assert.equal("hi", h:say("d", "/echo hi").body.text)
    local home, before = h.home, restarts()
    assert.is_true(before >= 1)
    stop()
    start(nil, home)
    assert.equal(everywhere, states())
    assert.equal(0, restarts())
  end)

  it("is blamed when the worker is killed for the third time at the same turn, whoever does it", function()
    start(CRASHER)
    assert.equal("noted", h:say("d", "/crasher vanish later").body.text)
    serve.eventually("the end of the plugin", function() return states() == everywhere end)
    serve.eventually("the event", function() return #failures() == 1 end)
    assert.matches('"signal":"KILL"', failures()[1].details)
    assert.matches('"of_trace_id":"%x+"', failures()[1].details)
    assert.matches("killed three times %(SIGKILL%) while it ran for the same turn", failures()[1].details)
    assert.equal("hi", h:say("e", "/echo hi").body.text)
    assert.equal(3, restarts())
  end)

  it("is blamed when it is its memory that cannot be freed, by a thread beside the loop", function()
    start(CRASHER, nil, nil, "yes")
    h:say("d", "/crasher fill") -- the worker may end before it answers
    serve.eventually("the end of the plugin", function()
      h:say("d", "/crasher") -- the state is replaced, and closed, by the worker that has it
      return states() == everywhere
    end)
    serve.eventually("the event", function() return #failures() == 1 end)
    assert.matches('"signal":"SEGV"', failures()[1].details)
    assert.equal("hi", h:say("e", "/echo hi").body.text)
  end)

  it("is not blamed for what somebody else does to the worker", function()
    start(CRASHER)
    for i, signal in ipairs { "KILL", "SEGV" } do
      local t = task.spawn(function() return h:say("d" .. i, "/crasher spin") end)
      local pid
      serve.eventually("the loop", function()
        for _, w in ipairs(status().workers) do
          if w.running == "crasher" then pid = w.pid end
        end
        return pid
      end)
      programs.kill(pid, signal)
      t:join()
      serve.eventually("another worker", function() return restarts() == i and states() == nowhere end)
    end
    assert.same({}, failures())
    assert.equal("alive", h:say("e", "/crasher").body.text)
  end)

  it("goes on when it is the fallback, behind which nobody stands, and the operator is told", function()
    start(CRASHER, nil, "return { fallback_plugin = 'crasher' }")
    h:say("d", "/crasher ABRT")
    serve.eventually("the event", function() return #failures() == 1 end)
    assert.matches("nobody stands behind the fallback plugin", failures()[1].details)
    assert.equal(nowhere, states())
    assert.equal("alive", h:say("e", "/crasher").body.text)
    assert.equal(1, restarts())
  end)

  it("has its job held while it is disabled, and given up after five crashes", function()
    start(CRASHER)
    assert.equal("noted", h:say("d", "/crasher later").body.text)
    for i = 1, 5 do
      serve.eventually("crash " .. i, function() return #failures() == i and states() == everywhere end)
      serve.eventually("the trigger", function() return disabled_by_trigger() == i end)
      assert.same({}, letters())
      assert.equal(0, (h:run "reload"))
      local home = h.home
      h:close()
      assert(db:commit { { "UPDATE jobs SET run_at = 0" } }) -- it was put off while the plugin was disabled
      stop()
      start(nil, home)
    end
    serve.eventually("the end of the job", function() return #letters() == 1 end)
    local letter = letters()[1]
    assert.matches("^job:crasher#", letter.source)
    assert.matches('"code":"crashed"', letter.error)
    assert.equal(5, letter.attempts)
    assert.same({ { state = "failed" } }, db:query "SELECT state FROM jobs")
    assert.equal(1, #db:query "SELECT 1 FROM audit_logs WHERE source = 'crasher' AND action = 'job_abandoned'")
    assert.equal(0, restarts())
    assert.equal("alive", h:say("e", "/crasher").body.text)
  end)
end)
