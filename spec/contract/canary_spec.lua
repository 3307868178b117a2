-- What belongs to a version on trial beside the answer to a message: jobs, invitations, other workers, the fallback.

local compare = require "parley.deployments.compare"
local counts = require "parley.deployments.counts"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local meters = require "parley.ops.meters"
local process = require "spec.support.process"
local release = require "spec.support.release"
local tallies = require "parley.deployments.tallies"
local task = require "host.task"
local time = require "host.time"
local views = require "parley.deployments.views"
local webhook = require "parley.plugins.webhook"

local ADMIN = "/api/v1/admin/plugins/shop/deployments"
local source = release.source

-- A shop whose every answer names the version.
local function shop(word)
  return source(("if what == 'later' then c:schedule { ['in'] = 60, job = 'ring' } end c:reply '%s'"):format(word),
    ("p.on.job('ring', function(c) c:reply 'ring %s' end)"):format(word))
end

local JOBS = { permissions = json.array { "jobs" } }

describe("what belongs to a canary", function()
  local h, admin

  local function start(o)
    o = o or {}
    o.plugins = o.plugins or {}
    o.plugins.shop = o.plugins.shop or { manifest = { version = "1.0.0", permissions = { "jobs" } }, main = shop "one" }
    h = host.start(o)
    admin = h:client("adm", { "admin" })
    return h
  end
  after_each(function() h:stop() end)

  local function deploy(main, more, body)
    body = body or {}
    body.files, body.share_percent = release.files("2.0.0", main, more or JOBS), body.share_percent or 20
    return admin("POST", ADMIN, body)
  end

  local function trial(...)
    local r = deploy(...)
    assert.equal(201, r.status, r.text)
    return release.dialogs(1, 20, true, 1)[1], release.dialogs(1, 20, false, 1)[1]
  end

  local function last() return admin("GET", ADMIN).body.deployments[1] end

  local function current(name) return h.core.manager.current.chooser.by_name[name or "shop"] end

  it("are the jobs of its dialogs", function()
    start()
    local inside, outside = trial(shop "two")
    for _, dialog in ipairs { inside, outside } do h:say(dialog, "/shop later") end
    time.advance(61)
    h.core.jobs:wake()
    for dialog, text in pairs { [inside] = "ring two", [outside] = "ring one" } do
      process.eventually(text, function()
        local messages = h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages
        local action = (messages[#messages].payload.actions or {})[1]
        return action and action.text == text
      end)
    end
  end)

  it("is what other plugins invoke in its dialogs", function()
    start {
      plugins = {
        front = { main = "local p = parley.plugin()\np.on.command('front', function(c) c:invoke 'shop' end)\nreturn p" },
        shop = {
          manifest = { version = "1.0.0" },
          main = "local p = parley.plugin()\np.on.any(function(c) c:reply 'one' end)\nreturn p",
        },
      },
    }
    local inside, outside = trial("local p = parley.plugin()\np.on.any(function(c) c:reply 'two' end)\nreturn p", {})
    assert.equal("two", h:say(inside, "/front").body.text)
    assert.equal("one", h:say(outside, "/front").body.text)
  end)

  it("is the fallback, when that is on trial", function()
    start { config = "return { fallback_plugin = 'shop' }" }
    local inside, outside = trial(source("c:reply 'two'", "p.on.any(function(c) c:reply 'no idea' end)"))
    assert.same({ "2.0.0", "no idea" }, { h:say(inside, "what?").body.plugin.version, h:say(inside, "what?").body.text })
    assert.equal("1.0.0", h:say(outside, "/shop").body.plugin.version)
  end)

  it("is counted by version in the metrics", function()
    start()
    local function value(side, outcome) return meters.deployment_calls:with("shop", side, outcome).value end
    local before = { value("canary", "exception"), value("stable", "ok") }
    local inside, outside = trial(source "error 'no stock'")
    h:say(inside, "/shop")
    h:say(outside, "/shop")
    h:say(outside, "/shop")
    assert.same({ before[1] + 1, before[2] + 2 }, { value("canary", "exception"), value("stable", "ok") })
  end)

  it("sets off triggers when it is rolled back", function()
    local home = host.temp_dir()
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/triggers.lua", [[return { {
      id = "TR-101", event = "deployment_rolled_back", when = { source = "shop" },
      act = { { emit = "shop_stays_old", severity = "warning" } },
    } }]]))
    start { home = home, config = "return {}" }
    trial(source "local t = {}; for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", { limits = { cpu_ms = 5000 } })
    h:say(release.dialogs(1, 20, true, 1)[1], "/shop")
    process.eventually("the trigger", function()
      return h.core.db:first "SELECT 1 AS yes FROM audit_logs WHERE action = 'shop_stays_old'"
    end)
  end)

  it("is rolled back when another worker cannot load it", function()
    start {
      config = "return { plugins = { shop = { stock = 5 } } }",
      plugins = { shop = {
        manifest = { version = "1.0.0", config = { type = "object" } }, main = source "c:reply 'one'",
      } },
    }
    -- A host of the same database whose settings lack something.
    assert(fs.write(h.home .. "/conf/parley.lua", "return {}"))
    local other = host.start { home = h.home }
    local r = deploy(source "c:reply 'two'", { config = { type = "object", required = json.array { "stock" } } })
    assert.equal(201, r.status, r.text)
    process.eventually("the decision", function() return last().state ~= "running" end)
    assert.equal("rolled_back", last().state)
    assert.matches("^worker %x+/%d+ cannot load it: .*parley.lua:1: plugins.shop.stock: is missing", last().reason)
    process.eventually("the stable version", function() return not current().canary end)
    assert.equal("1.0.0", other:say("d", "/shop").body.plugin.version)
    other:stop()
  end)

  it("is refused when its place is taken while it is being checked", function()
    start()
    local results = {}
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = task.spawn(function() results[i] = deploy(shop("two " .. i), nil, { reason = "at once" }).status end)
    end
    for _, t in ipairs(tasks) do assert(t:join()) end
    table.sort(results)
    assert.same({ 201, 409 }, results)
    assert.equal(1, #admin("GET", ADMIN).body.deployments)
  end)

  it("is one of four at most", function()
    local plugins = {}
    for i = 1, views.MAX + 1 do
      plugins["p" .. i] = { main = "return parley.plugin()", manifest = { commands = json.array {} } }
    end
    start { plugins = plugins }
    for i = 1, views.MAX + 1 do
      local r = admin("POST", ("/api/v1/admin/plugins/p%d/deployments"):format(i), {
        share_percent = 50,
        files = release.files("2.0.0", "return parley.plugin()", { name = "p" .. i, commands = json.array {} }),
      })
      assert.equal(i <= views.MAX and 201 or 409, r.status, r.text)
      if i > views.MAX then assert.matches("4 canaries run already, at most 4 can at a time", r.body.detail) end
    end
    assert.equal(2 ^ views.MAX - 1, #h.core.manager.current.views)
  end)

  it("is not more rows the longer nobody decides", function()
    start()
    trial(shop "two", nil, { window_seconds = 10, min_calls = 100000 })
    local row = { plugin = "shop", number = 1 }
    local one = compare.tally()
    one.calls, one.latency[7] = 1, 1
    local statements, now = {}, time.now_ms()
    for i = 1, 300 do statements[i] = tallies.put(row, now - 3600000 + i * 1000, "canary", "w/0#1", one) end
    statements[301] = tallies.put(row, now, "stable", "w/0#1", one)
    assert(h.core.db:commit(statements))
    process.eventually("fewer rows", function() return h:count "deployment_counts" == 3 end)
    assert.same({ 300, 1 }, { last().counts.canary.calls, last().counts.stable.calls })
    assert.equal("running", last().state)
  end)

  it("has its code tried although the plugin is disabled", function()
    start()
    assert.equal(200, admin("POST", "/api/v1/admin/plugins/shop/disable", {}).status)
    assert.matches("it has no stock", deploy("error 'it has no stock'").body.detail)
    assert.equal(201, deploy(shop "two").status)
  end)

  it("may be a REST plugin", function()
    local manifest = { version = "1.0.0", transport = "rest", endpoint = "http://127.0.0.1:1" }
    start {
      config = ("return { plugins = { shop = { signing_secret = %q, allow_private = true } } }"):format(webhook.new_secret()),
      plugins = { shop = { manifest = manifest } },
    }
    manifest.endpoint = "http://127.0.0.1:2"
    local parts = release.files("2.0.0", "", manifest)
    parts["main.lua"] = nil
    local r = admin("POST", ADMIN, { files = parts, share_percent = 20 })
    assert.equal(201, r.status, r.text)
    assert.same({ "http://127.0.0.1:1", "http://127.0.0.1:2" },
      { current().manifest.endpoint, current().canary.plugin.manifest.endpoint })
  end)
end)

describe("the counts of a deployment", function()
  local function plugin(side)
    return {
      trial = { plugin = "shop", number = 1, window_ms = 10000, side = side }, circuit = { state = "closed" },
    }
  end

  -- A database that keeps what it is given, or is away.
  local function database()
    local db = { rows = {} }
    function db.commit(_, statements)
      if db.away then return nil, { code = "unavailable", message = "away", retryable = true } end
      for _, s in ipairs(statements) do db.rows[s[5] .. s[4]] = tallies.decode(s[7]) end
      return {}
    end
    return db
  end

  it("are those of the calls that a version has had", function()
    local db = database()
    local c = counts.new { db = db, cluster = { id = "w/0" } }
    c:note(plugin "canary", nil, 5)
    c:note(plugin "canary", { code = "exception" }, 5)
    c:note(plugin "canary", { code = "circuit_open" }, 0)
    c:note(plugin "canary", { code = "rate_limited" }, 0)
    c:note(plugin "canary", { code = "rate_limited", http_status = 429 }, 5)
    c:note(plugin "canary", { code = "memory_limit", cause = "memory_limit" }, 5)
    c:note(plugin "canary", { code = "exception", cause = "crashed" }, 5) -- its own process has ended
    assert(c:flush())
    local _, t = next(db.rows)
    assert.same({ 5, 4, { memory_limit = 1, crash = 1 } }, { t.calls, t.errors, t.critical })
  end)

  it("are written once, and again only when there is more", function()
    local db = database()
    local c = counts.new { db = db, cluster = { id = "w/0" } }
    c:note(plugin "stable", nil, 5)
    assert(c:flush())
    db.rows = {}
    assert(c:flush())
    assert.is_nil(next(db.rows))
    c:note(plugin "stable", nil, 5)
    assert(c:flush())
    assert.is_table(select(2, next(db.rows)))
  end)

  it("wait for a database that is away, and do not grow without end", function()
    local db = database()
    local c = counts.new { db = db, cluster = { id = "w/0" } }
    db.away = true
    local lost = meters.deployment_slices_lost.value
    for _ = 1, 300 do
      c:note(plugin "stable", nil, 5)
      local ok, err = c:flush()
      assert.same({ nil, "unavailable" }, { ok, err.code })
      time.advance(1)
    end
    assert.is_true(#c.list <= 200)
    assert.is_true(meters.deployment_slices_lost.value - lost >= 100)
    db.away = false
    assert(c:flush())
    local calls = 0
    for _, t in pairs(db.rows) do calls = calls + t.calls end
    assert.is_true(calls >= 190 and calls <= 200, calls)
    assert.equal(0, #c.list)
  end)
end)
