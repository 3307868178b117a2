-- What becomes of registered plugins while they serve: their manifests are polled, their silence is noticed.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"
local registration = require "spec.support.registration"
local task = require "host.task"

describe("a registered plugin", function()
  local server, url, h, dice
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    url = "http://127.0.0.1:" .. server.port
  end)
  teardown(function() server:stop() end)
  after_each(function() h:stop() end)

  local function manifest(more)
    local m = registration.manifest { endpoint = url }
    for k, v in pairs(more or {}) do m[k] = v end
    return m
  end

  local function shows(answer)
    assert.equal(204, assert(http.request {
      method = "PUT", url = url .. "/manifest", body = json.encode(answer), allow_private = true,
    }).status)
  end

  local function asked()
    return json.decode(assert(http.request { url = url .. "/shown", allow_private = true }).body).asked or 0
  end

  local function start(conf)
    h = host.start { config = ("return { allow_private_plugins = true, %s }"):format(conf or "manifest_poll_seconds = 0.1") }
    local _, client = registration.register(h, { endpoint = url })
    dice = client
  end

  local function row() return h.core.db:first "SELECT * FROM plugins WHERE id = 'dice'" end
  local function beat(body) return dice("POST", "/api/v1/plugins/dice/heartbeat", body or { status = "ok" }).body end
  local function audits(action)
    return h.core.db:query("SELECT * FROM audit_logs WHERE action = $1 ORDER BY id", action)
  end
  local function plugin() return h.core.manager.current.chooser.by_name.dice end

  describe("is asked for its manifest", function()
    it("and nothing changes while it is the same", function()
      shows { status = 200, body = json.encode(manifest()) }
      start()
      local generation = h.core.manager.current.number
      eventually("three polls", function() return asked() >= 3 end)
      assert.equal(generation, h.core.manager.current.number)
      assert.equal(1, #audits "plugin_registered")
      assert.equal(0, #audits "plugin_manifest_failed")
    end)

    it("and another one is in service at once", function()
      shows { status = 200, body = json.encode(manifest()) }
      start()
      assert.equal("text_reply", h:say("d", "/throw ok").body.plugin.name)
      shows { status = 200, body = json.encode(manifest { version = "1.1.0", commands = json.array { { name = "throw" } } }) }
      eventually("the new version", function() return plugin().manifest.version == "1.1.0" end)
      assert.equal("dice", h:say("d", "/throw ok").body.plugin.name)
      assert.equal(plugin().hash, row().manifest_hash)
      local details = json.decode(audits("plugin_registered")[2].details)
      assert.same({ "1.1.0", "manifest", "poll" }, { details.version, details.change, details.by })
      local catalogue = h:client("plg", { "plugins:read" })("GET", "/api/v1/plugins").body.plugins
      local shown
      for _, p in ipairs(catalogue) do if p.name == "dice" then shown = p end end
      assert.equal("1.1.0", shown.version)
    end)

    it("of either version of the schema", function()
      start()
      local beta = manifest { schema = "v1beta", version = "2.0.0", transport = { type = "rest", endpoint = url } }
      beta.endpoint = nil
      shows { status = 200, body = json.encode(beta) }
      eventually("the new version", function() return plugin().manifest.version == "2.0.0" end)
      assert.equal("dice", h:say("d", "/roll ok").body.plugin.name)
    end)

    it("and may have registered in the newer one", function()
      h = host.start { config = "return { allow_private_plugins = true }" }
      local beta = { schema = "v1beta", endpoint = json.null, transport = { type = "rest", endpoint = url },
        permissions = json.array { { name = "jobs", reason = "rings" } } }
      registration.register(h, beta)
      assert.equal("dice", h:say("d", "/roll ok").body.plugin.name)
      assert.equal('["v1beta"]', row().supported_schema_versions)
      local r = h:client("reg", { "plugins:manage" })("POST", registration.PATH, {
        manifest = registration.manifest { schema = "v1beta", transport = "rest", name = "other" },
      })
      assert.equal(400, r.status)
      local paths = {}
      for i, e in ipairs(r.body.errors) do paths[i] = e.path end
      table.sort(paths)
      assert.same({ "/manifest/endpoint", "/manifest/transport" }, paths)
    end)

    it("when its heartbeat names another version, whatever the interval", function()
      shows { status = 200, body = json.encode(manifest { version = "3.0.0" }) }
      start "manifest_poll_seconds = 3600"
      task.sleep(0.6)
      assert.equal(0, asked())
      assert.is_false(beat({ status = "ok", version = "1.0.0" }).manifest_refresh)
      assert.is_true(beat({ status = "ok", version = "3.0.0" }).manifest_refresh)
      eventually("the new version", function() return plugin().manifest.version == "3.0.0" end)
      assert.equal(1, asked())
    end)

    for name, case in pairs {
      ["is none"] = { { status = 200, body = "[]" }, "manifest:1" },
      ["is another plugin's"] = { { status = 200, body = json.encode(registration.manifest { name = "other" }) },
        "it is the manifest of 'other'" },
      ["is missing"] = { { status = 404, body = "no" }, "status 404: 'no'" },
      ["is of another type"] = { { status = 200, body = "{}", type = "text/html" },
        "Content-Type: application/json was expected, got 'text/html': '{}'" },
      ["is of no type"] = { { status = 200, body = "{}", type = "" },
        "Content-Type: application/json was expected, got none: '{}'" },
      ["takes a command of another plugin"] = {
        { status = 200, body = json.encode(registration.manifest { commands = json.array { { name = "help" } } }) }, "help" },
    } do
      it("and one that " .. name .. " changes nothing, and is noted once", function()
        start()
        if case[1].body:find "plugin.example.org" then
          case[1].body = case[1].body:gsub("https://plugin.example.org", url)
        end
        shows(case[1])
        eventually("three polls", function() return asked() >= 3 end)
        assert.equal("1.0.0", plugin().manifest.version)
        local list = audits "plugin_manifest_failed"
        assert.equal(1, #list)
        assert.same({ "dice", "warning" }, { list[1].source, list[1].severity })
        assert(list[1].details:find(case[2], 1, true), list[1].details)
        -- Well again, then wrong again: that is said.
        shows { status = 200, body = json.encode(manifest()) }
        eventually("a poll", function() return asked() >= 2 end)
        shows(case[1])
        eventually("a second note", function() return #audits "plugin_manifest_failed" == 2 end)
      end)
    end

    it("not while it is disabled", function()
      shows { status = 200, body = json.encode(manifest()) }
      start()
      h:client("adm", { "admin" })("POST", "/api/v1/admin/plugins/dice/disable", {})
      task.sleep(1) -- what was under way is over
      local before = asked()
      task.sleep(0.7)
      assert.equal(before, asked())
    end)
  end)

  describe("that falls silent", function()
    -- As if so many seconds had passed.
    local function pass(seconds)
      assert(h.core.db:commit { {
        "UPDATE plugins SET last_heartbeat = last_heartbeat - $1, updated_at = updated_at - $1", seconds * 1000,
      } })
    end

    it("is degraded, once, and active again when it is heard", function()
      start "manifest_poll_seconds = 3600"
      beat()
      assert.equal("active", row().status)
      pass(90)
      task.sleep(0.7)
      assert.equal("active", row().status)
      pass(31)
      eventually("the end of patience", function() return row().status == "degraded" end)
      eventually("it is known to those who choose", function() return plugin().state == "degraded" end)
      assert.equal("no heartbeat for 120 s", plugin().reason)
      task.sleep(0.7)
      local list = audits "plugin_heartbeat_missed"
      assert.equal(1, #list)
      assert.same({ "dice", "warning" }, { list[1].source, list[1].severity })
      local event = h.core.db:first "SELECT * FROM plugin_events WHERE event_type = 'plugin_heartbeat_missed'"
      assert.equal(list[1].trace_id, event.trace_id)
      assert.equal("active", beat().status)
      assert.same({ "active", nil }, { plugin().state, plugin().reason })
    end)

    it("is degraded when it was never heard at all", function()
      start "manifest_poll_seconds = 3600"
      assert.equal("registered", row().status)
      pass(121)
      eventually("the end of patience", function() return row().status == "degraded" end)
    end)

    it("is waited for longer when its heartbeats are seldom", function()
      h = host.start { config = "return { allow_private_plugins = true }" }
      local _, client = registration.register(h, { endpoint = url, heartbeat_interval_sec = 300 })
      dice = client
      beat()
      pass(540)
      task.sleep(0.7)
      assert.equal("active", row().status)
      pass(61)
      eventually("the end of patience", function() return row().status == "degraded" end)
      assert.equal("no heartbeat for 600 s", row().reason)
    end)

    it("is left as it is when it is disabled or says itself that it is degraded", function()
      start "manifest_poll_seconds = 3600"
      beat { status = "degraded" }
      pass(500)
      task.sleep(0.7)
      assert.equal("it says so itself", row().reason)
      h:client("adm", { "admin" })("POST", "/api/v1/admin/plugins/dice/disable", { reason = "rest" })
      pass(500)
      task.sleep(0.7)
      assert.same({ "disabled", "rest" }, { row().status, row().reason })
      assert.equal(0, #audits "plugin_heartbeat_missed")
    end)

    it("is told of by a trigger", function()
      start [[heartbeat_timeout_seconds = 60]]
      beat()
      assert(require("host.fs").write(h.home .. "/conf/triggers.lua",
        "return { { id = 'A', event = 'plugin_heartbeat_missed', act = { { emit = 'seen' } } } }"))
      assert(h.core:reload())
      pass(61)
      eventually("the event", function() return #audits "seen" == 1 end)
    end)
  end)
end)
