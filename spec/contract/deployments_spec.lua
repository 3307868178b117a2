-- A new version of a plugin: for all dialogs, or on trial for a share of them, promoted or rolled back.

local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local release = require "spec.support.release"
local time = require "host.time"

local ADMIN = "/api/v1/admin/plugins/shop/deployments"

local source, files = release.source, release.files

local function says(word) return source(("c:reply '%s'"):format(word)) end

describe("a deployment", function()
  local h, admin
  before_each(function()
    h = host.start { plugins = { shop = { manifest = { version = "1.0.0" }, main = says "one" } } }
    admin = h:client("adm", { "admin" })
  end)
  after_each(function() h:stop() end)

  local function deploy(version, main, more, manifest_more)
    local body = { files = files(version, main, manifest_more) }
    for k, v in pairs(more or {}) do body[k] = v end
    local r = admin("POST", ADMIN, body)
    return r.status, r.body
  end

  local function answer(dialog)
    local r = h:say(dialog or "d", "/shop")
    return r.body.plugin.name == "shop" and r.body.plugin.version or r.body.plugin.name, r.body.text
  end

  local function list()
    local r = admin("GET", ADMIN)
    assert.equal(200, r.status, r.text)
    return r.body.deployments
  end

  it("for all serves at once, whatever the folder says", function()
    local status, body = deploy("2.0.0", says "two", { reason = "orders by phone" })
    assert.equal(201, status, body.detail)
    assert.same({ "promoted", 1, "1.0.0", "2.0.0", "orders by phone" }, {
      body.deployment.state, body.deployment.number, body.deployment.stable.version,
      body.deployment.canary.version, body.deployment.reason,
    })
    assert.same({ "2.0.0", "two" }, { answer() })
    assert(h.core:reload())
    assert.same({ "2.0.0", "two" }, { answer() })
    assert.equal("bundle", h.core.manager.current.chooser.by_name.shop.origin)
  end)

  it("that does not load is refused, and nothing changes", function()
    local generation = h.core.manager.current.number
    for _, case in ipairs {
      { { "return" }, { commands = json.array { { name = "BAD NAME" } } }, "manifest.json:1: commands%[0%].name" },
      { { "this is no Lua" }, {}, "main.lua:1: " },
      { { "error('it has no stock')" }, {}, "it has no stock" },
      { { says "two" }, { name = "shop2" }, "the folder is 'shop', the name 'shop2'" },
      { { says "two" }, { commands = json.array { { name = "echo", description = "x" } } }, "the command 'echo' is one of" },
    } do
      for _, percent in ipairs { false, 5 } do
        local status, body = deploy("2.0.0", case[1][1], { share_percent = percent or nil }, case[2])
        assert.same({ 409, "deployment_refused" }, { status, body.code }, case[3])
        assert.matches(case[3], body.detail)
        assert.is_nil(body.detail:find("incoming-", 1, true))
      end
    end
    assert.equal(generation, h.core.manager.current.number)
    assert.same({ "1.0.0", "one" }, { answer() })
    assert.equal(0, #list())
  end)

  it("is refused for what is no part of a plugin", function()
    local body = { files = files("2.0.0", says "two") }
    body.files["notes.txt"] = "buy milk"
    local r = admin("POST", ADMIN, body)
    assert.same({ 409, "deployment_refused" }, { r.status, r.body.code })
    assert.matches("notes.txt: a bundle has", r.body.detail)
    body.files["../../escape.lua"], body.files["notes.txt"] = "x", nil
    assert.equal(409, admin("POST", ADMIN, body).status)
  end)

  it("needs the scope", function()
    local r = h:client("adm", { "events:read" })("POST", ADMIN, { files = files("2.0.0", says "two") })
    assert.same({ 403, "forbidden" }, { r.status, r.body.code })
  end)

  it("is made once for an Idempotency-Key", function()
    local body, key = { files = files("2.0.0", says "two") }, { ["Idempotency-Key"] = "k" }
    local first, again = admin("POST", ADMIN, body, key), admin("POST", ADMIN, body, key)
    assert.same({ 201, 201 }, { first.status, again.status })
    assert.equal(first.text, again.text)
    assert.equal(1, #list())
  end)

  it("brings a plugin that lies in no folder, which goes when it is undone", function()
    local parts = files("1.0.0", (says("hi"):gsub("shop", "kiosk")), {
      name = "kiosk", commands = json.array { { name = "kiosk", description = "k" } },
    })
    local path = "/api/v1/admin/plugins/kiosk/deployments"
    local r = admin("POST", path, { files = parts, share_percent = 5 })
    assert.same({ 409, "conflict" }, { r.status, r.body.code })
    assert.matches("no version of 'kiosk' serves", r.body.detail)
    assert.equal(201, admin("POST", path, { files = parts }).status)
    assert.equal("kiosk", h:say("d", "/kiosk").body.plugin.name)
    assert(h.core:reload())
    assert.equal("kiosk", h:say("d", "/kiosk").body.plugin.name)
    r = admin("POST", "/api/v1/admin/plugins/kiosk/rollback", { undo = true })
    assert.equal(200, r.status, r.text)
    assert.is_not.equal("kiosk", h:say("d", "/kiosk").body.plugin.name)
  end)

  it("can be gone back from, and is one that can be gone back to", function()
    assert.equal(201, (deploy("2.0.0", says "two")))
    assert.equal(201, (deploy("3.0.0", says "three")))
    local undo = "/api/v1/admin/plugins/shop/rollback"
    assert.equal("2.0.0", admin("POST", undo, {}).body.version)
    assert.same({ "2.0.0", "two" }, { answer() })
    -- It came as a bundle: going back does not make it the operator's own.
    assert.equal("bundle", h.core.manager.current.chooser.by_name.shop.origin)
    assert.equal("1.0.0", admin("POST", undo, {}).body.version)
    assert.equal("home", h.core.manager.current.chooser.by_name.shop.origin)
  end)
end)

describe("a canary", function()
  local h, admin
  before_each(function()
    h = host.start { plugins = { shop = { manifest = { version = "1.0.0" }, main = says "one" } } }
    admin = h:client("adm", { "admin" })
  end)
  after_each(function() h:stop() end)

  local function deploy(version, main, more, manifest_more)
    local body = { files = files(version, main, manifest_more), share_percent = 20 }
    for k, v in pairs(more or {}) do body[k] = v end
    local r = admin("POST", ADMIN, body)
    return r.status, r.body
  end

  local function start(main, more, manifest_more)
    local status, body = deploy("2.0.0", main, more, manifest_more)
    assert.equal(201, status, body.detail)
    return body.deployment
  end

  local function version(dialog, text)
    local p = h:say(dialog, text or "/shop").body.plugin
    return p and p.name == "shop" and p.version or p and p.name
  end

  local function talk(number, inside, n)
    for _, dialog in ipairs(release.dialogs(number, 20, inside, n)) do h:say(dialog, "/shop") end
  end

  local function last() return admin("GET", ADMIN).body.deployments[1] end


  local function event(action)
    local rows = h.core.db:query("SELECT * FROM audit_logs WHERE action = $1 ORDER BY id DESC LIMIT 1", action)
    if rows[1] then rows[1].details = json.decode(rows[1].details) end
    return rows[1]
  end

  local function current() return h.core.manager.current.chooser.by_name.shop end

  -- Waits until it is decided, and this worker has taken that up.
  local function decided()
    assert(h.core.counts:flush())
    process.eventually("a decision", function() return last().state ~= "running" and not current().canary end)
    return last()
  end

  it("has its share of the dialogs, always the same", function()
    local d = start(says "two")
    assert.same({ "running", 20, "2.0.0", "1.0.0" }, { d.state, d.share_percent, d.canary.version, d.stable.version })
    for _ = 1, 2 do
      for _, dialog in ipairs(release.dialogs(1, 20, true, 8)) do assert.equal("2.0.0", version(dialog)) end
      for _, dialog in ipairs(release.dialogs(1, 20, false, 8)) do assert.equal("1.0.0", version(dialog)) end
      assert(h.core:reload())
    end
    local e = event "deployment_started"
    assert.same({ "shop", "info", 1, "2.0.0", 20 },
      { e.source, e.severity, e.details.deployment, e.details.version, e.details.share_percent })
    assert.matches("^token:", e.details.by)
  end)

  it("has its own commands, and they are nobody else's", function()
    deploy("2.0.0", says "two" .. "", nil, nil)
    admin("POST", ADMIN .. "/abort", {})
    local main = says("two"):gsub("return p$", "p.on.command('sale', function(c) c:reply 'less' end)\nreturn p")
    local status, body = deploy("2.1.0", main, nil, {
      commands = json.array { { name = "shop", description = "s" }, { name = "sale", description = "s" } },
    })
    assert.equal(201, status, body.detail)
    assert.equal("2.1.0", version(release.dialogs(2, 20, true, 1)[1], "/sale"))
    assert.is_not.equal("2.1.0", version(release.dialogs(2, 20, false, 1)[1], "/sale"))
  end)

  it("keeps the dialogs that it has when its share grows, and gives some back when it shrinks", function()
    start(says "two")
    local before = release.dialogs(1, 20, true, 8)
    local status, body = deploy("2.0.0", says "two", { share_percent = 40 })
    assert.same({ 201, 40, 1 }, { status, body.deployment.share_percent, body.deployment.number })
    for _, dialog in ipairs(before) do assert.equal("2.0.0", version(dialog)) end
    for _, dialog in ipairs(release.dialogs(1, 40, true, 8)) do assert.equal("2.0.0", version(dialog)) end
    for _, dialog in ipairs(release.dialogs(1, 40, false, 8)) do assert.equal("1.0.0", version(dialog)) end
    assert.equal(40, event("deployment_changed").details.share_percent)
  end)

  it("stands alone: no other version before it is decided", function()
    start(says "two")
    for _, percent in ipairs { false, 5 } do
      local status, body = deploy("3.0.0", says "three", { share_percent = percent or json.null })
      if percent == false then
        local r = admin("POST", ADMIN, { files = files("3.0.0", says "three") })
        status, body = r.status, r.body
      end
      assert.same({ 409, "conflict" }, { status, body.code })
      assert.matches("version 2.0.0 of 'shop' is on trial", body.detail)
    end
    local r = admin("POST", "/api/v1/admin/plugins/shop/rollback", {})
    assert.same({ 409, "conflict" }, { r.status, r.body.code })
  end)

  it("that is the same version is none", function()
    local folder = { ["manifest.json"] = h:read_plugin("shop", "manifest.json"), ["main.lua"] = says "one" }
    local r = admin("POST", ADMIN, { files = folder, share_percent = 5 })
    assert.same({ 409, "conflict" }, { r.status, r.body.code })
    assert.matches("this is what serves already", r.body.detail)
  end)

  it("is not disturbed by what is written to the folder meanwhile", function()
    start(says "two")
    h:write_plugin("shop", { manifest = { version = "1.5.0" }, main = says "one and a half" })
    assert(h.core:reload())
    assert.equal("1.0.0", version(release.dialogs(1, 20, false, 1)[1]))
    assert.equal("2.0.0", version(release.dialogs(1, 20, true, 1)[1]))
  end)

  it("is promoted by hand", function()
    start(says "two")
    local r = admin("POST", ADMIN .. "/promote", { reason = "it is well" })
    assert.same({ 200, "promoted", "it is well" }, { r.status, r.body.state, r.body.reason })
    for _, dialog in ipairs { "d1", "d2", "d3", "d4", "d5" } do assert.equal("2.0.0", version(dialog)) end
    assert.same({ "promoted", "it is well" }, { last().state, last().reason })
    assert.equal("it is well", event("deployment_promoted").details.message)
    assert.equal(409, admin("POST", ADMIN .. "/promote", {}).status)
    assert.equal(0, h:count "deployment_counts")
  end)

  it("is aborted by hand", function()
    start(says "two")
    local r = admin("POST", ADMIN .. "/abort", {})
    assert.same({ 200, "cancelled" }, { r.status, r.body.state })
    for _, dialog in ipairs { "d1", "d2", "d3", "d4", "d5" } do assert.equal("1.0.0", version(dialog)) end
    assert.equal("warning", event("deployment_cancelled").severity)
    assert.equal(409, admin("POST", ADMIN .. "/abort", {}).status)
  end)

  it("that fails is rolled back by itself", function()
    start(source "error 'no stock'")
    talk(1, false, 60)
    talk(1, true, 4)
    local d = decided()
    assert.equal("rolled_back", d.state)
    assert.matches("^%d of %d calls failed %(100.0 %%%), of the stable version 0 of %d+ %(0.0 %%%)$", d.reason)
    assert.same({ 4, 60 }, { d.counts.canary.errors, d.counts.stable.calls })
    for _, dialog in ipairs(release.dialogs(1, 20, true, 3)) do assert.equal("1.0.0", version(dialog)) end
    local e = event "deployment_rolled_back"
    assert.same({ "shop", "error", "watch", d.reason }, { e.source, e.severity, e.details.by, e.details.message })
    assert.is_nil(current().canary)
    assert.equal(0, h:count "deployment_counts")
  end)

  it("that is slow is rolled back by itself", function()
    start(source "local t = 0; for i = 1, 3e6 do t = t + i % 7 end; c:reply('two')", { latency_ratio = 1.5 },
      { limits = { cpu_ms = 5000 } }) -- slow, and on a busy machine no failure either
    talk(1, false, 40)
    talk(1, true, 12)
    local d = decided()
    assert.equal("rolled_back", d.state)
    assert.matches("^95 of 100 calls take up to", d.reason)
  end)

  it("that runs out of memory is rolled back at once", function()
    local status, body = deploy("2.0.0", source "local t = {}; for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
      nil, { limits = { cpu_ms = 5000 } })
    assert.equal(201, status, body.detail)
    talk(1, true, 1)
    local d = decided()
    assert.same({ "rolled_back", 1 }, { d.state, d.counts.canary.critical.memory_limit })
    assert.same({ "critical", "memory_limit" },
      { event("deployment_rolled_back").severity, event("deployment_rolled_back").details.critical })
  end)

  it("that is no worse is promoted at the end of its window, not before", function()
    start(says "two", { min_calls = 5, window_seconds = 600 })
    talk(1, false, 8)
    talk(1, true, 8)
    assert(h.core.counts:flush())
    time.advance(590)
    assert.equal("running", last().state)
    assert.same({ 8, 8, 0 }, { last().counts.canary.calls, last().counts.stable.calls, last().counts.canary.errors })
    time.advance(11)
    local d = decided()
    assert.same({ "promoted", "no worse than the stable version" }, { d.state, d.reason })
    assert.equal("2.0.0", version(release.dialogs(1, 20, false, 1)[1]))
  end)

  it("that nobody talks to waits, is left to a person, and is still rolled back when it fails", function()
    start(source "error 'no stock'", { min_calls = 50, window_seconds = 600, max_window_seconds = 1200 })
    talk(1, false, 60)
    time.advance(601)
    assert(h.core.counts:flush())
    process.eventually("a look", function() return h.core.cluster.leaders.deployments:held() end)
    assert.equal("running", last().state)
    time.advance(600)
    process.eventually("it is said", function() return last().undecided_at end)
    assert.equal("running", last().state)
    assert.matches("only 0 calls of the canary version, 50 are needed; promote it or abort it$", last().reason)
    assert.equal("warning", event("deployment_undecided").severity)
    talk(1, true, 4)
    assert.equal("rolled_back", decided().state)
  end)

  it("goes on after a restart, with what was counted before", function()
    start(source "error 'no stock'")
    talk(1, false, 60)
    talk(1, true, 2)
    assert(h.core.counts:flush())
    local home = h.home
    h:stop()
    h = host.start { home = home }
    admin = h:client("adm", { "admin" })
    assert.same({ "running", 2, 60 }, { last().state, last().counts.canary.calls, last().counts.stable.calls })
    local inside = release.dialogs(1, 20, true, 4)
    h:say(inside[3], "/shop")
    h:say(inside[4], "/shop")
    local d = decided()
    assert.same({ "rolled_back", 4 }, { d.state, d.counts.canary.errors })
  end)

  it("has a circuit of its own", function()
    start(source "error 'no stock'", { min_calls = 100000 })
    assert.is_not.equal(current().circuit, current().canary.plugin.circuit)
    for _ = 1, 12 do h:say(release.dialogs(1, 20, true, 1)[1], "/shop") end
    assert.equal("closed", current().circuit.state)
  end)

  it("is disabled and enabled with the plugin", function()
    start(says "two")
    local inside = release.dialogs(1, 20, true, 1)[1]
    assert.equal(200, admin("POST", "/api/v1/admin/plugins/shop/disable", {}).status)
    assert.equal("text_reply", version(inside))
    assert.equal(200, admin("POST", "/api/v1/admin/plugins/shop/enable", {}).status)
    assert.equal("2.0.0", version(inside))
  end)

  it("shows in the status", function()
    start(says "two")
    local shown
    for _, p in ipairs(h.core:status().plugins) do if p.name == "shop" then shown = p end end
    assert.same({ "2.0.0", 20, 1 }, { shown.canary.version, shown.canary.share_percent, shown.canary.deployment })
    assert.equal(1, #admin("GET", "/api/v1/admin/deployments").body.deployments)
  end)
end)
