-- Run by spec/net/rebinding_spec.lua in a network of its own, where spec/support/fake_dns.py answers for all names.

local audit = require "parley.store.audit"
local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local registration = require "spec.support.registration"

local CALLER = {
  manifest = { commands = { { name = "call" } }, permissions = { "http:*.test:%d" } },
  main = [[local p = parley.plugin()
    p.on.command("call", function(c, url)
      local r, err = c.http:post(url, { body = "x" })
      c:reply(r and "answered" or err.code)
    end)
    return p]],
}

local TRIGGERS = [[return { { id = "T", event = "hook_me", act = {
  { webhook = "http://inside.test:%d/x" }, { webhook = "http://turns-hook.test:%d/x" } } } }]]

describe("a name", function()
  local h, server, registrar
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    local home = host.temp_dir()
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/parley.lua", "return { manifest_poll_seconds = 0.2 }"))
    assert(fs.write(home .. "/conf/triggers.lua", TRIGGERS:format(server.port, server.port)))
    CALLER.manifest.permissions[1] = CALLER.manifest.permissions[1]:format(server.port)
    host.write_plugin({ home = home }, "caller", CALLER)
    h = host.start { home = home }
    registrar = h:client("reg", { "plugins:manage" })
  end)
  teardown(function()
    h:stop()
    server:stop()
  end)

  local function register(name)
    return registrar("POST", registration.PATH, { manifest = registration.manifest {
      endpoint = ("http://%s:%d"):format(name, server.port),
    } })
  end

  local function calls()
    local url = ("http://127.0.0.1:%d/log"):format(server.port)
    return #json.decode(assert(http.request { url = url, allow_private = true }).body).calls
  end

  it("that points inside is refused at the registration", function()
    for _, name in ipairs { "inside.test", "both.test", "mapped.test", "six.test" } do
      local r = register(name)
      assert.same({ 400, "endpoint_refused" }, { r.status, r.body.code }, name)
      assert.equal("private_address", r.body.errors[1].code)
    end
    local r = register "nobody.test"
    assert.equal("resolve", r.body.errors[1].code)
  end)

  it("that points inside only after the registration is refused at the call", function()
    assert.equal(201, register("turns.test").status)
    assert.equal("fallback", h:say("d", "/roll ok").body.status)
    local call = h.core.db:first "SELECT error_code FROM plugin_calls WHERE plugin_id = 'dice'"
    assert.equal("permission", call.error_code)
    assert.equal(0, calls())
  end)

  it("that points inside, too, is never followed there", function()
    for _ = 1, 5 do
      local r, err = http.request { url = ("http://both.test:%d/invoke"):format(server.port), timeout = 2 }
      assert.is_nil(r)
      assert.is_true(err.code == "private_address" or err.code == "connect", err.code)
    end
    assert.equal(0, calls())
  end)

  it("that points inside only after the registration is not asked for a manifest", function()
    assert.equal(201, registrar("POST", registration.PATH, { manifest = registration.manifest {
      name = "polled", endpoint = ("http://turns-poll.test:%d"):format(server.port), commands = { { name = "polled" } },
    } }).status)
    local row = programs.eventually("a poll that fails", function()
      return h.core.db:first "SELECT * FROM audit_logs WHERE source = 'polled' AND action = 'plugin_manifest_failed'"
    end)
    assert.matches("has a loopback address, which may not be called", row.details)
  end)

  it("that points inside is called by no plugin, whatever it may call", function()
    for _, name in ipairs { "inside.test", "mapped.test", "six.test" } do
      assert.equal("private_address", h:say("p", ("/call http://%s:%d/x"):format(name, server.port)).body.text, name)
    end
    for _ = 1, 3 do
      assert.not_equal("answered", h:say("p", ("/call http://turns-http.test:%d/x"):format(server.port)).body.text)
    end
    assert.equal(0, calls())
  end)

  it("that points inside is no webhook of a trigger", function()
    assert(h.core.db:commit { audit.insert {
      source = "shop", action = "hook_me", severity = "info", details = {}, trace_id = ("a"):rep(32),
    } })
    programs.eventually("both webhooks have failed", function()
      return h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'trigger_failed'").n == 2
    end, 30)
    assert.equal(0, calls())
  end)

  it("is followed there when the operator says so: the server was there all along", function()
    local r = assert(http.request {
      url = ("http://turns.test:%d/log"):format(server.port), allow_private = true,
    })
    assert.equal(200, r.status)
  end)
end)
