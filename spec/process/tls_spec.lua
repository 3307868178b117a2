local certificate = require "spec.support.certificate"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"

local SERVED = { PARLEY_HTTPS_LISTEN = "127.0.0.1:0", PARLEY_TLS_CERTIFICATE_FILE = "tls/own.pem",
  PARLEY_TLS_KEY_FILE = "tls/own.key" }

local function start(more)
  local env = {}
  for _, from in ipairs { SERVED, more or {} } do for k, v in pairs(from) do env[k] = v end end
  local s = serve.start {
    env = env, prepare = function(home)
      assert(fs.mkdir(home .. "/tls"))
      certificate.make(home .. "/tls", "own")
    end,
  }
  s.secure = tonumber(s:file "out":match "over TLS on https://127.0.0.1:(%d+)")
  return s
end

-- A request with the certificate that must be in service.
local function ask(s, pem)
  return programs.run {
    "curl", "-sS", "--cacert", pem or s.home .. "/tls/own.pem", "-H", "X-Bot-Token: " .. s.token, "-H",
    "Content-Type: application/json", "-d", '{"user":{"external_id":"me"},"type":"text","text":"/echo over TLS"}',
    ("https://localhost:%d/api/v1/dialogs/%s/messages"):format(s.secure, "d" .. math.random(1e9)),
  }
end

describe("the host over TLS", function()
  it("answers, beside the plain listener", function()
    local s = start()
    local r = ask(s)
    assert.equal(0, r.code, r.err)
    assert.equal("over TLS", json.decode(r.out).actions[1].text)
    assert.equal(200, s:say("plain", "/echo plain").status)
    local shown = s:status().workers[1].status
    assert.same({ "CN=own", "localhost, 127.0.0.1" }, { shown.certificate.subject, shown.certificate.names })
    assert.matches("certificate of CN=own: 2%d days left", select(2, s:run "status"))
    s:close()
  end)

  it("takes another certificate up by a reload, and keeps its own when the other is broken", function()
    local s = start()
    local next_one = certificate.make(s.home .. "/tls", "next")
    local old = s.home .. "/old.pem"
    assert(fs.write(old, fs.read(s.home .. "/tls/own.pem")))
    local function install(pem, key)
      assert(fs.write(s.home .. "/tls/own.key", key))
      assert(fs.write(s.home .. "/tls/own.pem", pem))
    end
    install(fs.read(next_one.certificate), "broken")
    local code, out = s:run "reload"
    assert.equal(78, code)
    assert.matches("tls/own.key: holds no private key in PEM", out, 1, true)
    assert.equal(0, ask(s, old).code)
    install(fs.read(next_one.certificate), fs.read(next_one.key))
    s:signal "HUP"
    eventually("the new certificate", function() return ask(s, next_one.certificate).code == 0 end)
    assert.is_true(ask(s, old).code ~= 0)
    s:close()
  end)

  it("does not start with a certificate that cannot be used, and says why", function()
    for name, file in pairs { PARLEY_TLS_KEY_FILE = "tls/none.key", PARLEY_TLS_CERTIFICATE_FILE = "tls/own.key" } do
      local env = { [name] = file }
      for k, v in pairs(SERVED) do env[k] = env[k] or v end
      local s = serve.start {
        env = env, wait = false, prepare = function(home)
          assert(fs.mkdir(home .. "/tls"))
          certificate.make(home .. "/tls", "own")
        end,
      }
      assert.equal(78, s:exit_code())
      assert.truthy(s:file "err":find(file, 1, true), s:file "err")
    end
    local s = serve.start { env = { PARLEY_HTTPS_LISTEN = "127.0.0.1:0" }, wait = false }
    assert.equal(78, s:exit_code())
    assert.matches("'tls.certificate' is missing", s:file "err", 1, true)
  end)

  it("answers all else when a worker begins anew while the files cannot be used, and TLS when they can", function()
    local s = start()
    local key = fs.read(s.home .. "/tls/own.key")
    assert(fs.write(s.home .. "/tls/own.key", "broken"))
    local pids = programs.children(s.pid)
    programs.kill(pids, "KILL")
    eventually("another worker", function()
      local now = programs.children(s.pid)
      return #now >= #pids and now[1] ~= pids[1]
    end)
    eventually("it answers", function()
      local ok, r = pcall(s.say, s, "plain", "/echo plain")
      return ok and r and r.status == 200
    end)
    assert.matches("no certificate to serve TLS with", s:file "err")
    assert.matches("no certificate: tls: .-own.key: holds no private key", select(2, s:run "status"))
    local code, out = s:run "reload"
    assert.equal(78, code)
    assert.matches("holds no private key", out)
    assert(fs.write(s.home .. "/tls/own.key", key))
    assert.equal(0, (s:run "reload"))
    assert.equal(0, ask(s).code)
    assert.matches("certificate of CN=own: 2%d days left", select(2, s:run "status"))
    s:close()
  end)

  it("goes on when a worker is killed, and sessions are resumed by any of its successors", function()
    local s = start(database.is_postgres and { PARLEY_WORKERS = "2" } or nil)
    local session = s.home .. "/session"
    local function connect(...)
      local r = programs.run({
        "openssl", "s_client", "-connect", "127.0.0.1:" .. s.secure, "-CAfile", s.home .. "/tls/own.pem", ...,
      }, { input = "GET /api/v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" })
      return r.out
    end
    assert.matches("New, TLSv1.3", connect("-ign_eof", "-sess_out", session))
    assert.matches("Reused, TLSv1.3", connect("-ign_eof", "-sess_in", session))
    local pids = programs.children(s.pid)
    programs.kill(pids, "KILL")
    eventually("another worker", function()
      local now = programs.children(s.pid)
      return #now >= #pids and now[1] ~= pids[1]
    end)
    assert.matches("Reused, TLSv1.3", connect("-ign_eof", "-sess_in", session))
    s:close()
  end)

  it("loses no request of a connection that is open while it reloads", function()
    local s = start()
    local p = assert(process.spawn {
      argv = { "python3", "spec/support/tls_client.py", "load", tostring(s.secure), s.home .. "/tls/own.pem", "/chat" },
      stdin = "pipe", stderr = "inherit",
    })
    assert(p:read_line(30))
    for _ = 1, 5 do
      certificate.make(s.home .. "/tls", "own")
      local code, out = s:run "reload"
      assert.equal(0, code, out)
    end
    p:close_stdin()
    local result = json.decode(assert(p:read_line(60)))
    assert.same({}, result.failures)
    assert.is_true(result.done > 0)
    s:close()
  end)
end)
