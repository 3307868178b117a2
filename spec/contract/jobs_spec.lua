local eventually = require "spec.support.eventually"
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
p.on.command("alarms", function(c)
  for i = 1, 8 do c:schedule { ["in"] = 0, job = "ring", data = { n = i } } end
  c:reply "noted"
end)
p.on.command("flood", function(c)
  for i = 1, 49 do c:schedule { ["in"] = 3600, job = "ring", data = { n = i } } end
  c:reply "noted"
end)
p.on.job("nobody", function(c) c:decline() end)
p.on.command("fail", function(c) c:schedule { ["in"] = 0, job = "nobody" } c:reply "noted" end)
return p
]]

local function last_text(h, dialog)
  local messages = h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages
  local action = messages[#messages].payload.actions
  return action and action[1] and action[1].text
end

describe("a scheduled job", function()
  local plugins = {
    alarm = { main = ALARM, manifest = {
      commands = { { name = "alarm" }, { name = "alarms" }, { name = "fail" }, { name = "flood" } }, permissions = { "jobs" },
    } },
  }

  it("fires once when it is due, as a message of its plugin", function()
    local h = host.start { plugins = plugins }
    assert.equal("noted", h:say("j", "/alarm 0").body.text)
    assert.equal("noted", h:say("j", "/alarm 0").body.text)
    eventually("both rings", function() return last_text(h, "j") == "ring 2" end)
    task.sleep(0.05)
    local dialog = h:request("GET", "/api/v1/dialogs/j").body
    assert.equal(6, #dialog.messages)
    assert.equal(2, dialog.dialog.state.alarm.rung)
    assert.same({ { state = "done", n = 2 } }, h.core.db:query "SELECT state, count(*) AS n FROM jobs GROUP BY state")
    h:stop()
  end)

  it("does not wait for those of another dialog, however many are due there", function()
    local h = host.start { plugins = plugins }
    local turn, held = h.core.jobs.turn, task.cond()
    h.core.jobs.turn = setmetatable({
      fire = function(_, job)
        if job.dialog_id == "full" then held:wait(60) end
        return turn:fire(job)
      end,
    }, { __index = turn })
    for _ = 1, 10 do h:say("full", "/alarms") end
    assert.equal("noted", h:say("other", "/alarm 0").body.text)
    eventually("the other ring", function() return last_text(h, "other") == "ring 1" end)
    assert.equal("noted", last_text(h, "full"))
    h.core.jobs.turn = turn
    held:broadcast()
    h:stop()
  end)

  it("is one of a thousand that a plugin may have in a dialog at most", function()
    local h = host.start { plugins = plugins }
    for _ = 1, 20 do assert.equal("noted", h:say("full", "/flood").body.text) end
    assert.equal("fallback", h:say("full", "/flood").body.status)
    assert.equal(980, h.core.db:first("SELECT count(*) AS n FROM jobs").n)
    assert.matches("schedule: a plugin has at most 1000 jobs open in a dialog",
      h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed'").details)
    assert.equal("noted", h:say("empty", "/flood").body.text)
    assert.equal("noted", h:say("full", "/alarm 3600").body.text)
    h:stop()
  end)

  it("fires after those of its dialog that were due before, also when the database is slow to begin one", function()
    local h = host.start { plugins = plugins }
    local db, slow = h.core.db, true
    h.core.jobs.db = setmetatable({
      commit = function(_, statements)
        if slow and statements[1][1]:find "^UPDATE jobs SET starts" then
          slow = false
          task.sleep(0.2)
        end
        return db:commit(statements)
      end,
    }, { __index = function(_, name) return function(_, ...) return db[name](db, ...) end end })
    h:say("order", "/alarms")
    h:say("other", "/alarm 0")
    eventually("all rings", function() return db:first("SELECT count(*) AS n FROM jobs WHERE state = 'done'").n == 9 end)
    local texts = {}
    for _, m in ipairs(h:request("GET", "/api/v1/dialogs/order").body.messages) do
      local action = m.payload.actions and m.payload.actions[1]
      texts[#texts + 1] = action and action.text:match "^ring (%d)"
    end
    assert.equal("12345678", table.concat(texts))
    h:stop()
  end)

  it("fires after a restart", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/alarm 0.3")
    h:stop()
    local again = host.start { home = h.home }
    eventually("the ring", function() return last_text(again, "j") == "ring 1" end)
    again:stop()
  end)

  it("is tried again, and given up, when nobody takes it", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/fail")
    eventually("the failure", function()
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
    eventually("the job is put off", function()
      local job = h.core.db:first "SELECT attempts, state, run_at FROM jobs"
      return job.run_at > time.now_ms() + 50000 and job.attempts == 0 and job.state == "open"
    end)
    assert(h.core:reload())
    time.advance(61)
    h.core.jobs:wake()
    eventually("the ring", function() return last_text(h, "held") == "ring 1" end)
    h:stop()
  end)

  it("is set aside for a person when it was given up", function()
    local h = host.start { plugins = plugins }
    h:say("j", "/fail")
    eventually("the failure", function()
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
