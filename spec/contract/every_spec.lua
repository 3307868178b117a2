-- Jobs that come again (c:every), and jobs that are taken back by their id.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local time = require "host.time"

local CLOCK = [[
local p = parley.plugin()
p.on.command("clock", function(c, what)
  local seconds, id = what:match "^(%S+)%s*(%S*)$"
  local ok, err = c:every { seconds = tonumber(seconds), job = "tick", id = id ~= "" and id or nil, data = { n = 1 } }
  c:reply(ok and "every " .. seconds or err.code .. ": " .. err.message)
end)
p.on.command("at", function(c, at)
  c:every { seconds = 3600, in_ = tonumber(at), job = "tick", data = { n = 1 } }
  c:reply "noted"
end)
p.on.command("once", function(c, id) c:schedule { in_ = 3600, job = "tick", id = id, data = { n = 5 } } c:reply "once" end)
p.on.command("stop", function(c, id) c:unschedule(id) c:reply "stopped" end)
p.on.command("list", function(c)
  local out = {}
  for _, job in ipairs(assert(c:scheduled())) do
    out[#out + 1] = ("%s %s %s %d"):format(job.id, job.job, tostring(job.every), job.data.n)
  end
  c:reply(table.concat(out, ", "))
end)
p.on.command("many", function(c, n)
  local last
  for i = 1, tonumber(n) do
    local ok, err = c:every { seconds = 60, job = "tick", id = "j" .. i }
    last = ok and i or err.code .. " at " .. i
  end
  c:reply(tostring(last))
end)
p.on.command("crowd", function(c, n)
  for i = 1, 45 do c:schedule { in_ = 30, job = "tick", id = ("o%s-%d"):format(n, i) } end
  c:reply "noted"
end)
p.on.job("tick", function(c, data)
  c.session.ticks = (c.session.ticks or 0) + 1
  if c.session.last == c.session.ticks then c:unschedule(c.event.id) end
  if c.session.fails then error "no clock" end
  c:reply("tick " .. c.session.ticks)
end)
p.on.command("until", function(c, n) c.session.last = tonumber(n) c:reply "ok" end)
p.on.command("fail", function(c, how) c.session.fails = how == "yes" or nil c:reply "ok" end)
return p
]]

local function plugins(main, more)
  local manifest = { permissions = { "jobs" }, commands = json.array {} }
  for name in pairs { clock = 1, at = 1, once = 1, stop = 1, list = 1, many = 1, crowd = 1, ["until"] = 1, fail = 1 } do
    manifest.commands[#manifest.commands + 1] = { name = name, description = name }
  end
  for key, value in pairs(more or {}) do manifest[key] = value end
  return { clock = { main = main or CLOCK, manifest = manifest } }
end

for _, ring in ipairs { "trusted", "isolated" } do
  describe("a job that comes again, in the " .. ring .. " ring,", function()
    local h
    local function start(o)
      o = o or {}
      o.plugins = not o.home and plugins() or nil
      o.config = not o.home and ("return { plugin_ring = '%s' }"):format(ring) or nil
      h = host.start(o)
    end
    before_each(function() start() end)
    after_each(function() h:stop() end)

    local function say(text, dialog) return h:say(dialog or "d", text).body.text end
    local function ticks(dialog)
      local state = h:request("GET", "/api/v1/dialogs/" .. (dialog or "d")).body.dialog.state.clock
      return state and state.ticks or 0
    end
    local function pass(seconds)
      time.advance(seconds)
      h.core.jobs:wake()
    end
    local function has_ticked(n, dialog)
      eventually(n .. " ticks", function() return ticks(dialog) == n end)
      -- What is open then is the next one.
      eventually("no job under way", function() return h.core.jobs.count == 0 end)
    end
    local function open() return h.core.db:query "SELECT run_at FROM jobs WHERE state = 'open' ORDER BY run_at" end

    it("fires again and again, and leaves one row", function()
      local since = time.now_ms()
      assert.equal("every 60", say "/clock 60")
      for n = 1, 3 do
        pass(60)
        has_ticked(n)
      end
      assert.equal(1, h:count "jobs")
      local next_at = open()[1].run_at - since
      assert.is_true(next_at >= 240000 and next_at < 300000, next_at)
    end)

    it("begins when it is told to, and stays on that grid", function()
      say "/at 10"
      local first = open()[1].run_at
      pass(10.5)
      has_ticked(1)
      assert.equal(first + 3600000, open()[1].run_at)
    end)

    it("makes up for what was missed once", function()
      say "/clock 60"
      local first = open()[1].run_at
      pass(3600)
      has_ticked(1)
      local next_at = open()[1].run_at
      assert.equal(0, (next_at - first) % 60000)
      assert.is_true(next_at > time.now_ms() and next_at <= time.now_ms() + 60000)
    end)

    it("goes on after a restart, and after a reload", function()
      say "/clock 60"
      assert(h.core:reload())
      h:stop()
      start { home = h.home }
      pass(60)
      has_ticked(1)
      pass(60)
      has_ticked(2)
    end)

    it("takes the place of another one of its id, and ends by it", function()
      say "/clock 60" say "/clock 120" say "/clock 300 slow" say "/once later"
      assert.equal("tick tick 120 1, slow tick 300 1, later tick nil 5", say "/list")
      say "/stop tick" say "/stop later" say "/stop nobody"
      assert.equal("slow tick 300 1", say "/list")
      assert.equal("", say("/list", "another"))
      say("/stop slow", "another")
      pass(300)
      has_ticked(1)
      say "/stop slow"
      assert.equal("", say "/list")
      assert.equal(0, #open())
    end)

    it("may take itself back", function()
      say "/until 2" say "/clock 60"
      pass(60)
      has_ticked(1)
      pass(60)
      has_ticked(2)
      assert.equal(0, #open())
    end)

    it("counts those that come again also behind many that come once, and sooner", function()
      for n = 1, 5 do assert.equal("noted", say("/crowd " .. n)) end
      assert.equal("20", say "/many 20")
      assert.equal("fallback", h:say("d", "/clock 60").body.status)
      assert.equal("every 90", say "/clock 90 j7")
    end)

    it("has a least time and a greatest number", function()
      assert.equal("20", say "/many 20")
      assert.equal("20", say "/many 20") -- the same ones
      assert.equal("quota at 21", say "/many 21")
      assert.matches("^quota: at most 20 jobs of a plugin come again in a dialog", say "/clock 60")
      assert.equal("every 60", say("/clock 60", "another"))
      assert.equal("every 90", say "/clock 90 j7")
      say "/stop j1"
      assert.equal("every 60", say "/clock 60")
      assert.equal("fallback", h:say("d", "/clock 59").body.status)
      local row = h.core.db:first("SELECT details FROM audit_logs WHERE details LIKE '%seconds from 60%'")
      assert.matches("clock/main.lua:4: every: seconds from 60 %(a minute%) to 31622400 %(a year%) expected, got 59", row.details)
    end)

    it("is tried again when it fails, and does not lose its grid by that", function()
      say "/clock 3600" say "/fail yes"
      local first = open()[1].run_at
      pass(3600)
      eventually("an attempt", function() return h.core.db:first("SELECT attempts FROM jobs").attempts > 0 end)
      say "/fail no"
      pass(60)
      has_ticked(1)
      assert.equal(first + 3600000, open()[1].run_at)
    end)

    it("goes on when one of its times was given up, which stays for a person", function()
      say "/clock 60" say "/fail yes"
      eventually("the dead letter", function()
        pass(2000)
        return h:count "dead_letters" > 0
      end)
      say "/fail no"
      pass(2000)
      eventually("a tick", function() return ticks() > 0 end)
      say "/stop tick"
      local failed = h.core.db:query "SELECT name, every_ms FROM jobs WHERE state = 'failed'"
      assert.same({ {} }, failed)
    end)

    it("ends when its plugin has no handler for it any more", function()
      say "/clock 60"
      h:write_plugin("clock", {
        manifest = { permissions = { "jobs" }, version = "2.0.0" },
        main = "local p = parley.plugin() p.on.command('clock', function(c) c:reply 'x' end) return p",
      })
      assert(h.core:reload())
      eventually("its end", function()
        pass(2000)
        return h.core.db:first("SELECT count(*) AS n FROM jobs WHERE state = 'failed'").n == 1
      end)
      assert.equal(0, #open())
    end)

    it("fires once, whoever fires it", function()
      local other = host.start { home = h.home }
      say "/clock 60"
      for n = 1, 5 do
        time.advance(60)
        h.core.jobs:wake()
        other.core.jobs:wake()
        has_ticked(n)
        eventually("the other", function() return other.core.jobs.count == 0 end)
      end
      -- Both have read the same row.
      local row = h.core.db:first "SELECT * FROM jobs WHERE state = 'open'"
      row.data = json.decode(row.data)
      local copy = json.decode(json.encode(row))
      local one, two = h.core.turn:fire(row), other.core.turn:fire(copy)
      assert.is_true((one ~= nil) ~= (two ~= nil))
      assert.equal(6, ticks())
      assert.equal(1, #open())
      other:stop()
    end)

    it("needs the permission", function()
      h:stop()
      h = host.start { plugins = plugins(nil, { permissions = json.array {} }) }
      assert.matches("^permission: 'jobs.list' needs the permission 'jobs'", say "/clock 60")
    end)
  end)
end

describe("a REST plugin's answer", function()
  local actions = require "parley.schema.actions"

  it("may schedule what comes again, and take it back", function()
    local schedule = { type = "schedule", job = "tick", every = 60, id = "a.b:c-1" }
    assert.is_nil(actions.problem(schedule))
    assert.is_nil(actions.problem { type = "unschedule", id = "a" })
    schedule.every = 59
    assert.matches("^every: ", actions.problem(schedule))
    assert.matches("'at', 'in' or 'every' is missing", actions.problem { type = "schedule", job = "tick" })
    assert.matches("^id: ", actions.problem { type = "unschedule", id = "a b" })
  end)
end)
