local certificate = require "spec.support.certificate"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local http = require "host.http_server"
local http_client = require "host.http_client"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local task = require "host.task"
local tls = require "host.tls"

local dir

local function path(name) return dir .. "/" .. name end

local function listen(opts, handler)
  opts = opts or {}
  opts.host, opts.port = "127.0.0.1", 0
  opts.tls = opts.tls or assert(tls.load(dir.own))
  return assert(http.listen(opts, handler or function(req, method, where)
    req:respond(200, "", ("%s %s %d"):format(method, where, #req:body()))
  end))
end

local function client(what, server, pem)
  return { "python3", "spec/support/tls_client.py", what, tostring(server:port()), pem or dir.own.certificate }
end

-- What the client says of it.
local function see(what, server)
  local r = programs.run(client(what, server))
  assert(r.code == 0, r.err)
  return assert(json.decode(r.out))
end

setup(function()
  local name = os.tmpname()
  os.remove(name)
  assert(fs.mkdir(name))
  dir = setmetatable({}, { __concat = function(_, text) return name .. text end, __tostring = function() return name end })
  dir.own = certificate.make(name, "own")
end)
teardown(function()
  for _, file in ipairs(assert(fs.list(tostring(dir)))) do fs.remove(path(file)) end
  fs.remove(tostring(dir))
end)

describe("a certificate", function()
  it("says what it is", function()
    local pair = certificate.make(tostring(dir), "shop", { cn = "shop.example", days = 90 })
    local info = assert(tls.load(pair)):info()
    assert.equal("CN=shop.example", info.subject)
    assert.equal("localhost, 127.0.0.1", info.names)
    assert.equal(90 * 86400, info.not_after - info.not_before)
    local r = programs.run { "openssl", "x509", "-in", pair.certificate, "-noout", "-fingerprint", "-sha256" }
    assert.equal(r.out:match "=(.-)\n":gsub(":", ""):lower(), info.fingerprint)
  end)

  it("may be one of several kinds, and bring its chain", function()
    local pair = certificate.make(tostring(dir), "rsa", { kind = "rsa:2048" })
    local chain = path "chain.pem"
    assert(fs.write(chain, fs.read(pair.certificate) .. fs.read(dir.own.certificate)))
    assert(tls.load { certificate = chain, key = pair.key })
  end)

  local function refused(code, message, pair)
    local context, err = tls.load { certificate = path(pair[1]), key = path(pair[2]) }
    assert.is_nil(context)
    assert.equal(code, err.code, err.message)
    assert.truthy(err.message:find(message, 1, true), err.message)
  end

  it("is refused with the file and what is wrong with it", function()
    certificate.make(tostring(dir), "other")
    local weak = certificate.make(tostring(dir), "weak", { kind = "rsa:1024" })
    assert.truthy(weak)
    assert(fs.write(path "text.pem", "not a certificate"))
    assert(fs.write(path "empty.pem", ""))
    local pem = fs.read(dir.own.certificate)
    assert(fs.write(path "cut.pem", pem:sub(1, #pem / 2)))
    assert(fs.write(path "damaged.pem", pem .. pem:gsub("\n.(.)", "\n!%1", 3)))
    assert(fs.write(path "large.pem", ("x"):rep(300000)))
    local r = programs.run {
      "openssl", "pkcs8", "-topk8", "-in", dir.own.key, "-out", path "secret.key", "-passout", "pass:word",
    }
    assert.equal(0, r.code, r.err)
    refused("not_found", path "none.pem", { "none.pem", "own.key" })
    refused("not_found", path "none.key", { "own.pem", "none.key" })
    refused("certificate", path "text.pem" .. ": holds no certificate in PEM", { "text.pem", "own.key" })
    refused("certificate", path "empty.pem" .. ": holds no certificate", { "empty.pem", "own.key" })
    refused("certificate", path "cut.pem" .. ": holds no certificate", { "cut.pem", "own.key" })
    refused("certificate", path "own.key" .. ": holds no certificate", { "own.key", "own.key" })
    refused("certificate", path "damaged.pem" .. ": a certificate of its chain is damaged", { "damaged.pem", "own.key" })
    refused("certificate", path "own.pem" .. ": holds no private key in PEM", { "own.pem", "own.pem" })
    refused("certificate", path "other.key" .. ": this key does not belong to the certificate in " .. path "own.pem",
      { "own.pem", "other.key" })
    refused("certificate", path "rsa.key" .. ": this key does not belong", { "own.pem", "rsa.key" })
    refused("certificate", path "secret.key" .. ": the key has a passphrase", { "own.pem", "secret.key" })
    refused("certificate", "too small", { "weak.pem", "weak.key" })
    refused("too_large", path "large.pem", { "large.pem", "own.key" })
    refused("certificate", "not a regular file", { "", "own.key" })
    assert.has_error(function() tls.load { certificate = "x" } end,
      "bad argument #1 to 'load' ('certificate' and 'key' are needed)")
  end)
end)

describe("the server over TLS", function()
  it("answers what clients ask", function()
    local server = listen()
    local url = ("https://localhost:%d"):format(server:port())
    local r = programs.run {
      "curl", "-sS", "--cacert", dir.own.certificate, "-d", "12345", url .. "/curl", url .. "/again",
    }
    assert.equal("POST /curl 5POST /again 5", r.out, r.err)
    local function ask(...)
      return programs.run({ "openssl", "s_client", "-quiet", "-connect", "127.0.0.1:" .. server:port(), ... },
        { input = "GET /openssl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" })
    end
    assert.matches("\r\n\r\nGET /openssl 0$", ask().out)
    local s = server:stats()
    assert.same({ 2, 3, 0 }, { s.handshakes, s.requests, s.handshakes_failed })
    server:close()
  end)

  it("speaks TLS 1.2 and 1.3, with forward secrecy and authenticated ciphers", function()
    local server = listen()
    local seen = see("versions", server)
    assert.equal("refused", seen.TLSv1)
    assert.equal("refused", seen.TLSv1_1)
    assert.equal("200 GET / 0", seen.TLSv1_2[1])
    assert.matches("^ECDHE%-ECDSA%-.*GCM", seen.TLSv1_2[2])
    assert.equal("200 GET / 0", seen.TLSv1_3[1])
    assert.same({
      ["AES128-SHA"] = "refused", ["AES256-GCM-SHA384"] = "refused", ["ECDHE-ECDSA-AES256-SHA"] = "refused",
      ["ECDHE-ECDSA-AES256-GCM-SHA384"] = "200 GET / 0",
    }, see("ciphers", server))
    server:close()
  end)

  it("offers http/1.1, and nothing to who wants something else only", function()
    local server = listen()
    assert.same({
      ["http/1.1"] = "http/1.1", ["h2,http/1.1"] = "http/1.1", h2 = "refused",
    }, see("alpn", server))
    server:close()
  end)

  it("resumes sessions by tickets", function()
    local server = listen()
    assert.same({
      { first = false, second = true, version = "TLSv1.2" }, { first = false, second = true, version = "TLSv1.3" },
    }, see("resume", server))
    assert.same({ 4, 2 }, { server:stats().handshakes, server:stats().resumed })
    server:close()
  end)

  it("does not renegotiate", function()
    local server = listen()
    local p = assert(process.spawn {
      argv = { "openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:" .. server:port() }, stdin = "pipe",
    })
    eventually("a handshake", function() return server:stats().handshakes == 1 end)
    assert(p:write "R\n")
    local _, err = p:wait(30)
    assert.is_nil(err)
    assert.matches("no renegotiation", p:read_err(nil, 30))
    assert.equal(0, server:stats().requests)
    server:close()
  end)

  it("reads what the network cuts into bytes", function()
    local server = listen()
    assert.equal("GET /bytewise 0", see("bytewise", server))
    server:close()
  end)

  it("answers pipelined requests in order, and says goodbye", function()
    local server = listen()
    assert.matches("GET /1 0.*GET /2 0$", see("pipelined", server))
    assert.equal("end", see("goodbye", server))
    server:close()
  end)

  it("tells who speaks plain HTTP what to do", function()
    local server = listen()
    local seen = see("plain", server)
    for _, method in ipairs { "GET", "POST" } do
      assert.matches("^HTTP/1.1 400 ", seen[method])
      assert.matches("the address begins with https://", seen[method], 1, true)
    end
    assert.is_nil(seen.OPTIONS:find("HTTP", 1, true))
    assert.equal(2, server:stats().handshakes_http)
    server:close()
  end)

  it("ends what is no handshake, and goes on", function()
    local server = listen()
    for _, seen in ipairs(see("garbage", server)) do
      assert.is_true(seen[2] == "end" or seen[2] == "ConnectionResetError", seen[2])
    end
    assert.is_true(server:stats().handshakes_failed >= 5)
    assert.equal("done", see("truncated", server))
    assert.equal("GET /bytewise 0", see("bytewise", server))
    eventually("all closed", function() return server:stats().open == 0 end)
    server:close()
  end)

  it("gives a handshake a deadline, and a connection that says nothing", function()
    local server = listen { handshake_ms = 300, head_ms = 300 }
    assert.equal("end", see("slow", server)[2])
    assert.equal(1, server:stats().handshakes_slow)
    assert.equal("end", see("silent", server)[2])
    local answer, ends = unpack(see("handshakes", server))
    assert.equal("200 GET / 0", answer)
    assert.equal(20, #ends)
    assert.equal(21, server:stats().handshakes_slow)
    server:close()
  end)

  it("has the limits of a plain server", function()
    local server = listen { per_address = 1 }
    local p = assert(process.spawn { argv = client("hold", server), stdin = "pipe", stderr = "inherit" })
    assert.equal("200 GET / 0", json.decode(assert(p:read_line(30)))[1])
    local r = programs.run(client("goodbye", server))
    assert.is_true(r.code ~= 0)
    assert.same({ 1, 1 }, { server:stats().refused, server:stats().refused_address })
    p:close()
    server:close()
    server = listen { body_bytes = 1000 }
    r = programs.run {
      "curl", "-sS", "--cacert", dir.own.certificate, "-d", ("x"):rep(2000), ("https://localhost:%d"):format(server:port()),
    }
    assert.equal("body_too_large", json.decode(r.out).code)
    server:close()
  end)

  it("carries large bodies both ways", function()
    local size = 20 * 1024 * 1024
    local large = ("0123456789abcdef"):rep(size / 16)
    local server = listen({ body_bytes = 64 * 1024 * 1024 }, function(req)
      req:respond(200, "", req:body())
    end)
    assert(fs.write(path "large", large))
    for _, version in ipairs { "1.2", "1.3" } do
      local r = programs.run {
        "curl", "-sS", "--tlsv" .. version, "--tls-max", version, "--cacert", dir.own.certificate, "--data-binary",
        "@" .. path "large", "-o", path "back", ("https://localhost:%d"):format(server:port()),
      }
      assert.equal(0, r.code, r.err)
      assert.is_true(fs.read(path "back", 2 * size) == large)
    end
    server:close()
  end)

  it("streams, and makes the handler wait for a slow client", function()
    local server
    local most = 0
    server = listen({ high_water = 65536 }, function(req)
      req:start(200, "")
      for i = 1, 100 do
        assert(req:write(("%05d"):format(i):rep(20000)))
        most = math.max(most, i)
      end
      req:finish()
    end)
    local p = assert(process.spawn {
      argv = {
        "curl", "-sS", "--limit-rate", "20M", "--cacert", dir.own.certificate,
        ("https://localhost:%d"):format(server:port()),
      }, max_buffer = 32 * 1024 * 1024,
    })
    local text = assert(p:read(nil, 60))
    assert.equal(100 * 100000, #text)
    assert.equal("00100", text:sub(-5))
    p:wait(30)
    server:close()
  end)

  it("has another certificate for new connections while old ones go on, under load", function()
    local function tail(pair)
      local r = programs.run { "openssl", "x509", "-in", pair.certificate, "-outform", "DER", "-out", path "der" }
      assert.equal(0, r.code)
      local der = fs.read(path "der")
      return (der:sub(-16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
    end
    local server = listen()
    local load = assert(process.spawn { argv = client("load", server), stdin = "pipe", stderr = "inherit" })
    assert.equal('"ready"', (assert(load:read_line(30)):gsub("%s", "")))
    local held = assert(process.spawn { argv = client("hold", server), stdin = "pipe", stderr = "inherit" })
    assert.same({ "200 GET / 0", tail(dir.own) }, json.decode(assert(held:read_line(30))))
    for i = 1, 10 do
      local pair = certificate.make(tostring(dir), "next" .. i)
      local before = server:stats().handshakes
      server:use_tls(assert(tls.load(pair)))
      eventually("more handshakes", function() return server:stats().handshakes > before + 5 end)
      local p = assert(process.spawn { argv = client("hold", server, pair.certificate), stdin = "pipe", stderr = "inherit" })
      assert.same({ "200 GET / 0", tail(pair) }, json.decode(assert(p:read_line(30))))
      p:close()
    end
    assert(held:write "again\n")
    assert.same({ "200 GET / 0", tail(dir.own) }, json.decode(assert(held:read_line(30))))
    held:close()
    load:close_stdin()
    local result = json.decode(assert(load:read_line(60)))
    assert.same({}, result.failures)
    assert.is_true(result.done > 100)
    server:close()
  end)

  it("finishes what runs when it drains", function()
    local server = listen(nil, function(req) task.sleep(0.2) req:respond(200, "", "late") end)
    local p = assert(process.spawn {
      argv = { "curl", "-sSi", "--cacert", dir.own.certificate, ("https://localhost:%d"):format(server:port()) },
    })
    eventually("a request", function() return server:stats().busy == 1 end)
    server:drain()
    local text = assert(p:read(nil, 30))
    assert.matches("Connection: close", text)
    assert.matches("late$", text)
    server:close()
  end)

  it("is one as any other for our own client, which checks the certificate", function()
    local server = listen()
    local _, err = http_client.request { url = ("https://127.0.0.1:%d/"):format(server:port()), allow_private = true }
    assert.equal("tls", err.code, err.message)
    eventually("counted", function() return server:stats().handshakes_failed == 1 end)
    local r = assert(http_client.request {
      url = ("https://127.0.0.1:%d/"):format(server:port()), allow_private = true, ca = fs.read(dir.own.certificate),
    })
    assert.equal("GET / 0", r.body)
    server:close()
  end)
end)
