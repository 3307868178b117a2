local certificate = require "spec.support.certificate"
local certificates = require "parley.ops.certificate"
local fs = require "host.fs"
local host = require "spec.support.host"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local programs = require "spec.support.process"

describe("the certificate of a host", function()
  local h, lines, write
  setup(function()
    h = host.start {
      config = 'return { https_listen = "127.0.0.1:0", tls = { certificate = "tls/own.pem", key = "tls/own.key" } }',
    }
    assert(fs.mkdir(h.home .. "/tls"))
    certificate.make(h.home .. "/tls", "own")
    assert(h.core:listen_tls { host = "127.0.0.1", port = 0 })
    write = log.write
  end)
  teardown(function() h:stop() end)
  before_each(function()
    lines = {}
    log.write = function(level, message, fields) lines[#lines + 1] = { level, message, fields } end
  end)
  after_each(function() log.write = write end)

  local function serves(pem)
    return programs.run {
      "curl", "-sS", "--cacert", pem, ("https://localhost:%d/docs"):format(h.core.tls_server:port()),
    }.code == 0
  end

  local function install(pair)
    assert(fs.write(h.home .. "/tls/own.pem", fs.read(pair.certificate)))
    assert(fs.write(h.home .. "/tls/own.key", fs.read(pair.key)))
  end

  local function series(name)
    return tonumber(meters.registry:render():match("\n" .. name:gsub("%p", "%%%0") .. " (%S+)"))
  end

  it("is looked at again when its files have changed", function()
    h.core.certificate:look()
    assert.same({}, lines)
    local pair = certificate.make(h.home .. "/tls", "second", { days = 60 })
    install(pair)
    assert.is_false(serves(pair.certificate))
    h.core.certificate:look()
    assert.is_true(serves(pair.certificate))
    assert.equal("certificate in service", lines[1][2])
    assert.equal("CN=second", lines[1][3].subject)
    local r = programs.run { "date", "+%s", "-d", programs.run {
      "openssl", "x509", "-in", pair.certificate, "-noout", "-enddate",
    }.out:match "=(.-)\n" }
    assert.equal(tonumber(r.out), series 'parley_tls_certificate_expires_timestamp_seconds{listener="https"}')
  end)

  it("stays while new files do not fit together, is told once, and follows when they do", function()
    local before = certificate.make(h.home .. "/tls", "before")
    install(before)
    h.core.certificate:look()
    lines = {}
    local failed = series 'parley_tls_certificate_reloads_total{result="failed"}'
    local pair = certificate.make(h.home .. "/tls", "third")
    assert(fs.write(h.home .. "/tls/own.pem", fs.read(pair.certificate)))
    for _ = 1, 3 do h.core.certificate:look() end
    assert.equal(1, #lines)
    assert.matches("does not belong to the certificate", lines[1][3].error)
    assert.matches("does not belong", h.core:status().certificate.problem)
    assert.is_true(series 'parley_tls_certificate_reloads_total{result="failed"}' > failed)
    assert.is_true(serves(before.certificate))
    assert(fs.write(h.home .. "/tls/own.key", fs.read(pair.key)))
    h.core.certificate:look()
    assert.is_true(serves(pair.certificate))
    assert.is_nil(h.core:status().certificate.problem)
  end)

  it("stays while the new one has ended, or does not hold yet", function()
    local good = certificate.make(h.home .. "/tls", "good")
    for said, at in pairs { ["has ended: it was valid until 2020%-01%-31T"] = "2020-01-01", ["is valid from 20"] = "+2 days" } do
      install(good)
      h.core.certificate:look()
      lines = {}
      install(certificate.make(h.home .. "/tls", "late", { at = at }))
      h.core.certificate:look()
      assert.equal(1, #lines)
      assert.matches("own.pem: the certificate " .. said, lines[1][3].error)
      assert.matches(said, h.core.certificate:status().problem)
      assert.is_true(serves(good.certificate))
      local generation, err = h.core:reload()
      assert.is_nil(generation)
      assert.matches(said, err.message)
      assert.is_true(serves(good.certificate))
    end
    install(good)
    assert(h.core:reload())
    assert.is_nil(h.core.certificate:status().problem)
  end)

  it("has ended while it served: then it is no reason to refuse a reload", function()
    install(certificate.make(h.home .. "/tls", "ended", { at = "2020-01-01" }))
    local cfg = h.core.config
    h.core.certificate:use(assert(certificates.read(cfg)))
    assert(h.core:reload())
    local pair = certificate.make(h.home .. "/tls", "after")
    install(pair)
    h.core.certificate:look()
    assert.is_true(serves(pair.certificate))
  end)

  it("warns before it ends, once a day, and when it has ended", function()
    install(certificate.make(h.home .. "/tls", "soon", { days = 5 }))
    for _ = 1, 3 do h.core.certificate:look() end
    assert.equal(2, #lines)
    assert.same({ "warn", "the certificate ends soon" }, { lines[2][1], lines[2][2] })
    assert.equal(4, lines[2][3].days)
  end)

  it("counts handshakes by how they end", function()
    local before = series 'parley_tls_handshakes_total{result="full"}'
    local pair = certificate.make(h.home .. "/tls", "counted")
    install(pair)
    h.core.certificate:look()
    assert.is_true(serves(pair.certificate))
    assert.equal(before + 1, series 'parley_tls_handshakes_total{result="full"}')
    programs.run { "curl", "-sS", ("http://localhost:%d/"):format(h.core.tls_server:port()) }
    assert.equal(1, series 'parley_tls_handshakes_total{result="http"}')
    assert.is_true(series "parley_http_connections_total" >= 2)
  end)
end)
