-- Run by spec/net/rebinding_spec.lua in a network of its own, where spec/support/fake_dns.py answers for all names.

local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"
local registration = require "spec.support.registration"

describe("a name", function()
  local h, server, registrar
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    h = host.start()
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

  it("is followed there when the operator says so: the server was there all along", function()
    local r = assert(http.request {
      url = ("http://turns.test:%d/log"):format(server.port), allow_private = true,
    })
    assert.equal(200, r.status)
  end)
end)
