-- Plugins that register over HTTP: their manifest, token and secret, their heartbeats, the catalogue, and
-- what an operator does with them.

local crypto = require "host.crypto"
local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local registration = require "spec.support.registration"
local registry = require "parley.plugins.registry"
local time = require "host.time"
local webhook = require "parley.plugins.webhook"

local REGISTER, PLUGINS, EVENTS = registration.PATH, "/api/v1/plugins", "/api/v1/plugins/events"
local OPEN = "return { allow_private_plugins = true }"

describe("plugins over HTTP", function()
  local server, url, h, registrar, admin, watcher
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    url = "http://127.0.0.1:" .. server.port
  end)
  teardown(function() server:stop() end)
  before_each(function()
    h = host.start { config = OPEN }
    registrar = h:client("reg", { "plugins:manage" })
    admin = h:client("adm", { "admin" })
    watcher = h:client("plg", { "events:read", "plugins:read" })
  end)
  after_each(function() h:stop() end)

  local function manifest(more)
    local m = registration.manifest { endpoint = url }
    for k, v in pairs(more or {}) do m[k] = v end
    return m
  end

  local function register(more, body)
    local request = { manifest = manifest(more) }
    for k, v in pairs(body or {}) do request[k] = v end
    return registrar("POST", REGISTER, request)
  end

  local function last_call()
    local log = json.decode(assert(http.request { url = url .. "/log", allow_private = true, max_body = 1e8 }).body)
    return log.calls[#log.calls]
  end

  local function events(filter) return watcher("GET", EVENTS .. "?" .. filter).body.events end
  local function roll() return h:say("d", "/roll ok").body end

  local function status_of(name)
    for _, p in ipairs(watcher("GET", PLUGINS .. "?status=all").body.plugins) do
      if p.name == name then return p.status, p.reason, p end
    end
  end

  describe("registration", function()
    it("gives a token and a secret, and the plugin answers", function()
      local r = register()
      assert.equal(201, r.status, r.text)
      assert.equal("dice", r.body.plugin_id)
      assert.equal("registered", r.body.status)
      assert.equal(30, r.body.heartbeat_interval_sec)
      assert.matches("^prl_plg_", r.body.token)
      assert.equal("dice", roll().plugin.name)
      local call = last_call()
      assert.equal(webhook.sign(webhook.key(r.body.signing_secret), call.headers["webhook-id"],
        call.headers["webhook-timestamp"], call.body), call.headers["webhook-signature"])
    end)

    it("is an event, in the audit, too, under the trace of the request", function()
      local r = register()
      local e = events "type=plugin_registered"
      assert.equal(1, #e)
      assert.equal("dice", e[1].plugin_id)
      assert.equal(r.headers["x-trace-id"], e[1].trace_id)
      assert.equal("new", e[1].payload.change)
      local entries = admin("GET", "/api/v1/admin/audit?action=plugin_registered&source=dice").body.entries
      assert.equal(1, #entries)
      assert.equal(r.headers["x-trace-id"], entries[1].trace_id)
    end)

    it("with the same manifest changes nothing, and shows nothing again", function()
      local first = register()
      local rows = h:count "audit_logs"
      -- The same says the same in another order of keys.
      local text = json.encode({ manifest = manifest() }, { sorted = true })
      local again = registrar("POST", REGISTER, text)
      assert.equal(200, again.status)
      assert.equal(first.body.manifest_hash, again.body.manifest_hash)
      assert.is_nil(again.body.token)
      assert.is_nil(again.body.signing_secret)
      assert.equal(rows, h:count "audit_logs")
      assert.equal(1, #events "type=plugin_registered")
    end)

    it("with another manifest is an update: token and secret stay", function()
      local first = register()
      local r = register { version = "1.1.0", commands = { { name = "throw", description = "x" } } }
      assert.equal(200, r.status)
      assert.not_equal(first.body.manifest_hash, r.body.manifest_hash)
      assert.is_nil(r.body.token)
      assert.equal("text_reply", roll().plugin.name)
      assert.equal("1.1.0", h:say("d", "/throw ok").body.plugin.version)
      local call = last_call()
      assert.equal(webhook.sign(webhook.key(first.body.signing_secret), call.headers["webhook-id"],
        call.headers["webhook-timestamp"], call.body), call.headers["webhook-signature"])
      assert.equal(200, h:client("plg", first.body.token)("GET", PLUGINS).status)
    end)

    it("gives another token and secret when asked, and those before are good for a day", function()
      local first = register().body
      local second = register({}, { rotate = true }).body
      assert.not_equal(first.token, second.token)
      assert.not_equal(first.signing_secret, second.signing_secret)
      local beat = PLUGINS .. "/dice/heartbeat"
      assert.equal(200, h:client("plg", first.token)("POST", beat, { status = "ok" }).status)
      assert.equal(200, h:client("plg", second.token)("POST", beat, { status = "ok" }).status)

      assert.equal("dice", roll().plugin.name)
      local call = last_call()
      local signatures = {}
      for s in call.headers["webhook-signature"]:gmatch "%S+" do signatures[#signatures + 1] = s end
      for i, secret in ipairs { second.signing_secret, first.signing_secret } do
        assert.equal(webhook.sign(webhook.key(secret), call.headers["webhook-id"], call.headers["webhook-timestamp"],
          call.body), signatures[i])
      end

      time.advance(24 * 3600 + 1)
      assert.equal(401, h:client("plg", first.token)("POST", beat, { status = "ok" }).status)
      roll()
      assert.is_nil(last_call().headers["webhook-signature"]:find(" ", 1, true))
    end)

    it("gives a new token in the place of one that was revoked", function()
      local first = register().body
      admin("DELETE", "/api/v1/admin/tokens/" .. first.token:match "^prl_plg_(%w+)_")
      assert.equal(401, h:client("plg", first.token)("GET", PLUGINS).status)
      local second = register({}, { rotate = true }).body
      assert.equal(401, h:client("plg", first.token)("GET", PLUGINS).status)
      assert.equal(200, h:client("plg", second.token)("GET", PLUGINS).status)
    end)

    it("is answered once for an Idempotency-Key, without the secrets", function()
      local body, key = { manifest = manifest() }, { ["Idempotency-Key"] = "r1" }
      assert.is_string(registrar("POST", REGISTER, body, key).body.token)
      local again = registrar("POST", REGISTER, body, key)
      assert.equal(201, again.status)
      assert.equal("true", again.headers["idempotency-replayed"])
      assert.is_nil(again.body.token)
      body.rotate = true
      assert.equal("idempotency_mismatch", registrar("POST", REGISTER, body, key).body.code)
    end)

    it("leaves no secret in the database", function()
      local r = register().body
      local secret = r.signing_secret:sub(7)
      for _, name in ipairs { "plugins", "tokens", "idempotency", "audit_logs", "plugin_events" } do
        local text = json.encode(h.core.db:query("SELECT * FROM " .. name))
        assert.is_nil(text:find(r.token, 1, true), name)
        assert.is_nil(text:find(secret, 1, true), name)
      end
    end)

    it("is refused under the name or with the command of another plugin", function()
      register()
      for field, more in pairs {
        ["/manifest/name"] = { name = "echo" },
        ["/manifest/commands/0/name"] = { name = "other", commands = { { name = "echo", description = "x" } } },
      } do
        local r = register(more)
        assert.equal(409, r.status)
        assert.equal("plugin_conflict", r.body.code)
        assert.equal(field, r.body.errors[1].path)
        assert.equal("duplicate", r.body.errors[1].code)
      end
      local r = register { name = "other" } -- the command of a plugin that has registered
      assert.equal("plugin_conflict", r.body.code)
      r = register { before = { "echo" }, after = { "echo" }, version = "2.0.0" }
      assert.equal("validation_failed", r.body.code)
      assert.equal("1.0.0", select(3, status_of "dice").version)
    end)

    it("survives a restart", function()
      local first = register().body
      h:stop()
      h = host.start { home = h.home }
      assert.equal("dice", roll().plugin.name)
      assert.equal(200, h:client("plg", first.token)("POST", PLUGINS .. "/dice/heartbeat", { status = "ok" }).status)
    end)

    it("does not keep the host from starting when a plugin of its name is installed", function()
      register()
      h:stop()
      h:write_plugin("dice", { main = "local p = parley.plugin()\np.on.command('dice', function(c) c:reply 'mine' end)\n"
        .. "return p" })
      h = host.start { home = h.home }
      assert.equal("mine", h:say("d", "/dice").body.text)
      assert.equal("text_reply", roll().plugin.name)
    end)

    it("takes the place of a plugin that was disabled and taken away", function()
      h:write_plugin("dice", { main = "return parley.plugin()" })
      assert.equal(200, admin("POST", "/api/v1/admin/reload").status)
      assert.equal(409, register().status)
      assert.equal(200, admin("POST", "/api/v1/admin/plugins/dice/disable").status)
      for _, name in ipairs { "manifest.json", "main.lua" } do assert(fs.remove(h.home .. "/plugins/dice/" .. name)) end
      assert.equal(200, admin("POST", "/api/v1/admin/reload").status)
      local r = register()
      assert.same({ 201, "registered" }, { r.status, r.body.status }, r.text)
      assert.equal("dice", roll().plugin.name)
    end)

    it("takes the operator's settings for the plugin", function()
      register { config = { type = "object", properties = { sides = { type = "integer" } } } }
      assert(fs.write(h.home .. "/conf/parley.lua", [[
return { allow_private_plugins = true, plugins = { dice = { sides = 20 } } }
]]))
      assert.equal(200, admin("POST", "/api/v1/admin/reload").status)
      roll()
      assert.same({ sides = 20 }, last_call().request.config)
    end)

    it("holds addresses to the rule at every call, too", function()
      register()
      assert(fs.write(h.home .. "/conf/parley.lua", "return { allow_private_plugins = false }"))
      assert.equal(200, admin("POST", "/api/v1/admin/reload").status)
      assert.equal("fallback", roll().status)
      local call = h.core.db:first "SELECT error_code FROM plugin_calls WHERE plugin_id = 'dice'"
      assert.equal("permission", call.error_code)
    end)

    it("is taken up by another worker of the same database", function()
      register()
      local other = host.start { home = h.home }
      assert.equal("dice", other:say("d", "/roll ok").body.plugin.name)
      local before = other.core.manager.number
      local function answers(name)
        return function() return other:say("d", "/throw ok").body.plugin.name == name end
      end
      register { commands = { { name = "throw", description = "x" } }, version = "2.0.0" }
      programs.eventually("the new manifest elsewhere", answers "dice")
      assert.equal(before + 1, other.core.manager.number)
      admin("POST", "/api/v1/admin/plugins/dice/disable", { reason = "no" })
      programs.eventually("the end of the plugin elsewhere", answers "text_reply")
      admin("POST", "/api/v1/admin/plugins/dice/enable")
      programs.eventually("its return elsewhere", answers "dice")
      assert.equal(before + 1, other.core.manager.number) -- a state needs no other generation
      other:stop()
    end)
  end)

  describe("heartbeats", function()
    local plugin
    before_each(function() plugin = h:client("plg", register().body.token) end)

    local function beat(body) return plugin("POST", PLUGINS .. "/dice/heartbeat", body) end

    it("make a plugin active, degraded, active", function()
      assert.equal("registered", status_of "dice")
      local before = time.now_ms()
      local r = beat { status = "ok", version = "1.0.0", inflight = 2, metrics = { queue = 1 } }
      assert.equal(200, r.status, r.text)
      assert.equal("active", r.body.status)
      assert.is_false(r.body.manifest_refresh)
      assert.is_true(r.body.next_heartbeat_before >= time.rfc3339(before + 30000))
      assert.equal("active", status_of "dice")
      assert.equal("degraded", beat({ status = "degraded" }).body.status)
      assert.equal("degraded", status_of "dice")
      assert.equal("dice", roll().plugin.name) -- nobody else has the command
      assert.equal("active", beat({ status = "ok" }).body.status)
      local _, reason, entry = status_of "dice"
      assert.is_nil(reason)
      assert.is_true(entry.last_heartbeat >= time.rfc3339(before))
    end)

    it("are events and rows of the audit, with what was said", function()
      beat { status = "ok", inflight = 3, metrics = { queue = 1 } }
      local e = events "type=plugin_heartbeat"
      assert.equal(1, #e)
      assert.same({ status = "ok", inflight = 3, metrics = { queue = 1 } }, e[1].payload)
      assert.equal(1, #admin("GET", "/api/v1/admin/audit?action=plugin_heartbeat").body.entries)
    end)

    it("ask for the manifest when the version is another", function()
      -- A time at which it is not due by itself: the host looks twice a second.
      local checked = time.now_ms() - 1000
      assert(h.core.db:commit { { "UPDATE plugins SET manifest_checked_at = $1", checked } })
      local function checked_at() return registry.get(h.core.db, "dice").manifest_checked_at end
      assert.is_false(beat({ status = "ok", version = "1.0.0" }).body.manifest_refresh)
      assert.equal(checked, checked_at())
      assert.is_true(beat({ status = "ok", version = "1.1.0" }).body.manifest_refresh)
      assert.not_equal(checked, checked_at()) -- it is due, or was asked just now
    end)

    it("do not enable what an operator has disabled", function()
      admin("POST", "/api/v1/admin/plugins/dice/disable", { reason = "it is rude" })
      assert.equal("disabled", beat({ status = "ok" }).body.status)
      assert.same({ "disabled", "it is rude" }, { (status_of "dice"), (select(2, status_of "dice")) })
    end)

    it("are taken once for an Idempotency-Key", function()
      local key = { ["Idempotency-Key"] = "b1" }
      local path = PLUGINS .. "/dice/heartbeat"
      local first = plugin("POST", path, { status = "ok" }, key)
      assert.equal(first.text, plugin("POST", path, { status = "ok" }, key).text)
      assert.equal(1, #events "type=plugin_heartbeat")
    end)

    it("are for the plugin's own token alone", function()
      local other = h:client("plg", register({ name = "other", commands = json.array() }).body.token)
      for _, client in ipairs { other, watcher } do
        local r = client("POST", PLUGINS .. "/dice/heartbeat", { status = "ok" })
        assert.equal(403, r.status)
        assert.equal("forbidden", r.body.code)
      end
      for _, id in ipairs { "nobody", "echo", "%ff", "a%00b", ("x"):rep(100) } do
        assert.equal(403, plugin("POST", PLUGINS .. "/" .. id .. "/heartbeat", { status = "ok" }).status)
      end
      local r = h:request("POST", PLUGINS .. "/dice/heartbeat", { status = "ok" },
        { token = false, headers = { Authorization = "Bearer " .. h:make_token({ "admin" }, "adm") } })
      assert.equal(403, r.status)
    end)
  end)

  describe("the catalogue", function()
    it("has what serves, bundles too, with manifests", function()
      register()
      local r = watcher("GET", PLUGINS)
      assert.equal(200, r.status)
      local names = {}
      for i, p in ipairs(r.body.plugins) do names[i] = p.name end
      assert.same({ "dice", "echo", "faq", "language", "reminder", "text_reply" }, names)
      local dice, echo = r.body.plugins[1], r.body.plugins[2]
      assert.same({ true, "rest", url }, { dice.registered, dice.transport, dice.manifest.endpoint })
      assert.same({ false, "lua", "active" }, { echo.registered, echo.transport, echo.status })
      assert.is_nil(r.text:find("locales_data", 1, true))
    end)

    it("is filtered by state", function()
      register()
      admin("POST", "/api/v1/admin/plugins/echo/disable")
      local function names(filter)
        local out = {}
        for i, p in ipairs(watcher("GET", PLUGINS .. filter).body.plugins) do out[i] = p.name end
        return table.concat(out, " ")
      end
      assert.equal("dice faq language reminder text_reply", names "")
      assert.equal("echo", names "?status=disabled")
      assert.equal("dice", names "?status=registered")
      assert.equal("faq language reminder text_reply", names "?status=active")
      assert.equal("dice echo faq language reminder text_reply", names "?status=all")
    end)

    it("is for operators, too", function()
      local r = h:request("GET", PLUGINS, nil,
        { token = false, headers = { Authorization = "Bearer " .. h:make_token({ "admin" }, "adm") } })
      assert.equal(200, r.status)
    end)
  end)

  describe("an operator", function()
    local function set(id, what, body) return admin("POST", "/api/v1/admin/plugins/" .. id .. "/" .. what, body) end

    it("disables and enables a plugin that has registered", function()
      register()
      local r = set("dice", "disable", { reason = "too many complaints" })
      assert.equal(200, r.status, r.text)
      assert.same({ plugin_id = "dice", status = "disabled", reason = "too many complaints" }, r.body)
      assert.equal("text_reply", roll().plugin.name)
      assert.equal("registered", set("dice", "enable").body.status)
      assert.equal("dice", roll().plugin.name)
    end)

    it("disables and enables a plugin of a folder, over a restart", function()
      assert.equal(200, set("echo", "disable").status)
      assert.equal(200, set("echo", "disable", { reason = "again" }).status)
      assert.equal("text_reply", h:say("d", "/echo hi").body.plugin.name)
      h:stop()
      h = host.start { home = h.home }
      admin = h:client("adm", { "admin" })
      assert.equal("text_reply", h:say("d", "/echo hi").body.plugin.name)
      assert.equal("active", set("echo", "enable").body.status)
      assert.equal("hi", h:say("d", "/echo hi").body.text)
      assert.equal(0, h:count "plugins")
    end)

    it("enables what has hung the host, at once", function()
      h.core.manager:disable("echo", "it has hung the host")
      assert(h.core.manager:reload(h.core.config))
      assert.equal("text_reply", h:say("d", "/echo hi").body.plugin.name)
      assert.equal(200, set("echo", "enable").status)
      assert.equal("hi", h:say("d", "/echo hi").body.text)
    end)

    it("is told what cannot be", function()
      local r = set("text_reply", "disable")
      assert.same({ 409, "conflict" }, { r.status, r.body.code })
      for _, id in ipairs { "nobody", "%ff", "a%00b" } do
        r = set(id, "disable")
        assert.same({ 404, "plugin_not_found" }, { r.status, r.body.code })
        r = set(id, "enable")
        assert.same({ 404, "plugin_not_found" }, { r.status, r.body.code })
      end
      assert(fs.write(h.home .. "/conf/parley.lua", "return { plugins = { echo = { enabled = false } } }"))
      assert.equal(200, admin("POST", "/api/v1/admin/reload").status)
      r = set("echo", "enable")
      assert.same({ 409, "conflict" }, { r.status, r.body.code })
      assert.matches("plugins.echo.enabled", r.body.detail)
    end)

    it("leaves a trail", function()
      set("echo", "disable", { reason = "why not" })
      local e = admin("GET", "/api/v1/admin/audit?action=plugin_disabled").body.entries[1]
      assert.same({ "echo", "why not", "warning" }, { e.details.plugin_id, e.details.reason, e.severity })
    end)

    it("reloads, or is told why not", function()
      h:write_plugin("late", { main = "local p = parley.plugin()\np.on.command('late', function(c) c:reply 'here' end)\n"
        .. "return p" })
      local r = admin("POST", "/api/v1/admin/reload")
      assert.equal(200, r.status, r.text)
      assert.equal(h.core.manager.number, r.body.generation)
      assert.equal("here", h:say("d", "/late").body.text)
      h:write_plugin("broken", { main = "return (" })
      r = admin("POST", "/api/v1/admin/reload")
      assert.same({ 409, "reload_refused" }, { r.status, r.body.code })
      assert.matches("broken/?", r.body.detail)
      assert.equal("here", h:say("d", "/late").body.text)
    end)
  end)

  describe("the address of a plugin", function()
    local strict, strict_registrar
    before_each(function()
      strict = host.start()
      strict_registrar = strict:client("reg", { "plugins:manage" })
    end)
    after_each(function() strict:stop() end)

    local function at(endpoint)
      return strict_registrar("POST", REGISTER, { manifest = registration.manifest { endpoint = endpoint } })
    end

    it("must be on the public internet, in whatever notation", function()
      for _, name in ipairs {
        "127.0.0.1", "127.8.9.10", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "localhost", "0.0.0.0",
        "0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
        "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[::1]",
        "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[fe80::1]",
        "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]",
        "[2001::1]", "[fec0::1]",
      } do
        for _, url_of in ipairs { "https://%s", "http://%s:8080/plugin" } do
          local r = at(url_of:format(name))
          assert.same({ 400, "endpoint_refused" }, { r.status, r.body.code }, name .. ": " .. r.text)
          assert.equal("/manifest/endpoint", r.body.errors[1].path)
          assert.equal("private_address", r.body.errors[1].code, name)
        end
      end
      assert.equal(0, strict:count "plugins")
    end)

    it("must be one", function()
      local r = at "https://nobody.invalid"
      assert.same({ 400, "endpoint_refused", "resolve" }, { r.status, r.body.code, r.body.errors[1].code })
      for _, endpoint in ipairs {
        "ftp://example.org", "file:///etc/passwd", "//example.org", "example.org", "http://", "https://user@example.org",
        "https://user:secret@example.org", "https://example.org#fragment", "https://example.org?query",
        "https://exa mple.org", "https://example.org:99999", "https://[::1", "https://[::1]x", "https://[::1]80",
        "https://*.example.org", "gopher://example.org", "javascript:alert(1)", "https://example.org\\@127.0.0.1", "",
      } do
        r = at(endpoint)
        assert.same({ 400, "validation_failed" }, { r.status, r.body.code }, endpoint .. ": " .. r.text)
        assert.equal("/manifest/endpoint", r.body.errors[1].path, endpoint)
      end
    end)

    it("may be any public one", function()
      for i, name in ipairs { "8.8.8.8", "[2606:4700:4700::1111]", "172.32.0.1" } do
        local r = strict_registrar("POST", REGISTER, { manifest = registration.manifest {
          name = "p" .. i, endpoint = "https://" .. name .. "/plugin", commands = json.array(),
        } })
        assert.equal(201, r.status, r.text)
      end
    end)
  end)

  it("have secrets that only the master key gives", function()
    local function secret_with(key)
      local one = host.start {
        config = ("return { allow_private_plugins = true, secret_key = %q }"):format(key),
      }
      local answer = registration.register(one, { endpoint = url })
      assert.is_false(fs.exists(one.home .. "/data/secret-key"))
      one:stop()
      return answer.signing_secret
    end
    local a = ("a"):rep(32)
    assert.equal(secret_with(a), secret_with(a))
    assert.not_equal(secret_with(a), secret_with(("b"):rep(32)))
    local expected = webhook.secret(crypto.hmac_sha256(a, "signing:dice:1"))
    assert.equal(expected, secret_with(a))
  end)

  it("are not called with a secret that they do not know, when the master key is another", function()
    local function start_with(key, home)
      local conf = ("return { allow_private_plugins = true, secret_key = %q }"):format(key:rep(32))
      local one = host.start { config = conf, home = home }
      return one, one:client("reg", { "plugins:manage" })
    end
    local one, ask = start_with "a"
    assert.equal(201, ask("POST", REGISTER, { manifest = manifest() }).status)
    assert.equal("dice", one:say("d", "/roll ok").body.plugin.name)
    one:stop()
    one, ask = start_with("b", one.home)
    assert.equal("text_reply", one:say("d", "/roll ok").body.plugin.name)
    local r = ask("POST", REGISTER, { manifest = manifest(), rotate = true })
    assert.same({ 200, "string" }, { r.status, type(r.body.signing_secret) }, r.text)
    assert.equal("dice", one:say("d", "/roll ok").body.plugin.name)
    one:stop()
  end)

  it("have a master key that is made once, for the owner alone", function()
    local path = h.home .. "/data/secret-key"
    local text = fs.read(path)
    assert.is_true(#text >= 32)
    h:stop()
    h = host.start { home = h.home }
    assert.equal(text, fs.read(path))
    assert.equal("600\n", programs.run({ "stat", "-c", "%a", path }).out)
  end)
end)
