local host = require "spec.support.host"
local task = require "host.task"
local time = require "host.time"

local ALARM = [[
local p = parley.plugin()
p.on.command("alarm", function(c, seconds)
  c:schedule { ["in"] = tonumber(seconds), job = "ring", data = { n = (c.session.n or 0) + 1 } }
  c.session.n = (c.session.n or 0) + 1
  c:reply "noted"
end)
p.on.job("ring", function(c, data)
  c.session.rung = (c.session.rung or 0) + 1
  c:reply("ring " .. data.n)
end)
p.on.command("fail", function(c) c:schedule { ["in"] = 0, job = "nobody" } c:reply "noted" end)
return p
]]

local function wait_for(f)
  for _ = 1, 300 do
    local v = f()
    if v then return v end
    task.sleep(0.01)
  end
  error "it did not happen within 3 s"
end

local function last_text(h, dialog)
  local messages = h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages
  local action = messages[#messages].payload.actions
  return action and action[1] and action[1].text
end

describe("a scheduled job", function()
  local plugins = {
    alarm = { main = ALARM, manifest = { commands = { { name = "alarm" }, { name = "fail" } }, permissions = { "jobs" } } },
  }

  it("fires once when it is due, as a message of its plugin", function()
    local h = host.start { plugins = plugins }
    assert.equal("noted", h:say("j", "/alarm 0").body.text)
    assert.equal("noted", h:say("j", "/alarm 0").body.text)
    wait_for(function() return last_text(h, "j") == "ring 2" end)
    task.sleep(0.05)
    local dialog = h:request("GET", "/api/v1/dialogs/j").body
    assert.equal(6, #dialog.messages)
    assert.equal(2, dialog.dialog.state.alarm.rung)
    assert.same({ { state = "done", n = 2 } }, h.core.db:query "SELECT state, count(*) AS n FROM jobs GROUP BY state")
    h:stop()
  end)

  it("fires after a restart", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/alarm 0.3")
    h:stop()
    local again = host.start { home = h.home }
    wait_for(function() return last_text(again, "j") == "ring 1" end)
    again:stop()
  end)

  it("is tried again, and given up, when nobody takes it", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/fail")
    wait_for(function()
      local job = h.core.db:first "SELECT attempts, state FROM jobs"
      return job.attempts == 1 and job.state == "open"
    end)
    h:stop()
  end)

  it("waits while its plugin is disabled, and no attempt is used up", function()
    local h = host.start { plugins = plugins }
    h.core.manager:disable("alarm", "it has hung the host")
    h:say("held", "/alarm 0.2")
    assert(h.core.manager:reload(h.core.config))
    wait_for(function()
      local job = h.core.db:first "SELECT attempts, state, run_at FROM jobs"
      return job.run_at > time.now_ms() + 50000 and job.attempts == 0 and job.state == "open"
    end)
    assert(h.core:reload())
    time.advance(61)
    h.core.jobs:wake()
    wait_for(function() return last_text(h, "held") == "ring 1" end)
    h:stop()
  end)

  it("is set aside for a person when it was given up", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/fail")
    wait_for(function()
      time.advance(2000)
      h.core.jobs:wake()
      return h.core.db:first("SELECT state FROM jobs").state == "failed"
    end)
    local letter = h.core.db:first "SELECT source, error, attempts FROM dead_letters"
    assert.matches("^job:alarm#", letter.source)
    assert.matches("declined", letter.error)
    assert.equal(12, letter.attempts)
    h:stop()
  end)
end)
