-- Metrics and probes, over the socket of a whole core.
local backlog = require "parley.ops.backlog"
local compile = require("parley.schema.compile").compile
local endpoints = require "parley.ops.endpoints"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local meters = require "parley.ops.meters"
local schema = require "parley.schema.v1alpha"


describe("the ops listener", function()
  local h, public, server
  setup(function()
    h = host.start { plugins = {
      broken = { main = "local p = parley.plugin() p.on.command('broken', function() error('x') end)" },
    } }
    server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, endpoints.new(h.core)))
    public = h.port
  end)
  teardown(function()
    server:close()
    h:stop()
  end)

  local function ops(method, path)
    h.port = server:port()
    local r = h:request(method, path, nil, { token = false })
    h.port = public
    return r
  end

  local function value(text, series)
    local at = assert(select(2, text:find("\n" .. series .. " ", 1, true)), "no " .. series)
    return tonumber(text:match("^[^\n]+", at + 1))
  end

  it("counts turns, plugin calls and requests", function()
    assert.equal(200, h:say("m1", "/echo hi").status)
    local before = ops("GET", "/metrics")
    assert.equal(200, before.status)
    assert.equal("text/plain; version=0.0.4; charset=utf-8", before.headers["content-type"])
    for _ = 1, 3 do h:say("m1", "/echo hi") end
    h:say("m1", "/broken")
    h:request("GET", "/nowhere/" .. ("x"):rep(50))
    h:say("m1", "once", { message_id = "same" })
    assert.equal(409, h:say("m1", "twice", { message_id = "same" }).status)
    local after = ops("GET", "/metrics").text
    local route = "/api/v1/dialogs/{dialog_id}/messages"
    for series, more in pairs {
      ['parley_turns_total{status="answered"}'] = 3,
      ['parley_plugin_calls_total{plugin="echo",outcome="ok"}'] = 3,
      ['parley_http_requests_total{route="' .. route .. '",method="POST",status="200"}'] = 5,
      ['parley_http_request_seconds_count{route="' .. route .. '"}'] = 6,
      ["parley_turn_seconds_count"] = 5,
    } do
      assert.equal(more, value(after, series) - value(before.text, series), series)
    end
    assert.equal(1, value(after, 'parley_plugin_calls_total{plugin="broken",outcome="exception"}'))
    assert.is_true(value(after, 'parley_http_requests_total{route="none",method="any",status="404"}') >= 1)
    assert.is_true(value(after, "parley_db_transactions_total") >= 5)
    assert.is_true(value(after, "parley_http_connections_total") >= 6)
    assert.is_true(value(after, 'parley_plugin_memory_bytes{plugin="echo"}') > 10000)
    assert.is_nil(after:find("nowhere", 1, true))
    assert.is_nil(after:find('code="idempotency_mismatch"', 1, true)) -- the sender's own mistake
  end)

  it("has the metrics that docs/metrics.md names, and no others", function()
    local written, counted = {}, {}
    for line in io.lines "docs/metrics.md" do
      local name, rest = line:match "^| `([%l_]+)` (|.*)$"
      if name then written[name] = rest end
    end
    for _, registry in ipairs { meters.registry, backlog.registry } do
      for _, family in ipairs(registry.families) do
        local kind = family.type .. (family.merge == "max" and ", max" or "")
        local labels = table.concat(family.labels, ", ")
        counted[family.name] = ("| %s | %s | %s |"):format(kind, labels, family.help)
      end
    end
    assert.same(counted, written)
  end)

  it("has lines that Prometheus can read", function()
    for line in ops("GET", "/metrics").text:gmatch "[^\n]+" do
      if line:sub(1, 1) == "#" then
        assert.matches("^# %u+ [%a_]+ .+", line)
      else
        assert.matches("^[%a_]+ [%d.e+-]+$", (line:gsub("{.*}", "")))
      end
    end
  end)

  it("answers the probes", function()
    for _, path in ipairs { "/livez", "/startupz", "/readyz" } do
      local r = ops("GET", path)
      assert.equal(200, r.status)
      assert.same({ status = "ok", mode = path == "/readyz" and "sql" or nil }, r.body)
      assert.equal(200, ops("HEAD", path).status)
    end
    local r = ops("GET", "/healthz")
    assert.equal(200, r.status)
    assert.is_nil(compile(schema.HealthV1)(r.body))
    assert.equal("ok", r.body.checks.database.status)
    assert.is_true(r.body.checks.plugins.active >= 2)
    assert.is_true(r.body.checks.plugins.generation >= 1)
  end)

  it("refuses the rest, and is not on the public address", function()
    assert.equal(404, ops("GET", "/api/v1/dialogs/m1").status)
    assert.equal(404, ops("GET", "/").status)
    local r = ops("POST", "/metrics")
    assert.equal(405, r.status)
    assert.equal("GET, HEAD", r.headers.allow)
    for _, path in ipairs { "/metrics", "/healthz" } do
      assert.equal(404, h:request("GET", path).status)
    end
  end)

  it("says at once that it is not ready when it drains", function()
    h.core.draining = true
    assert.equal(503, ops("GET", "/readyz").status)
    assert.equal("draining", ops("GET", "/healthz").body.status)
    assert.equal(200, ops("GET", "/livez").status)
    h.core.draining = nil
    assert.equal(200, ops("GET", "/readyz").status)
  end)

  it("says that the database is away", function()
    local db = h.core.db
    h.core.db = { query = function() return nil, { code = "io", message = "disk gone" } end }
    local r = ops("GET", "/healthz")
    h.core.db = db
    assert.equal(503, r.status)
    assert.equal("unavailable", r.body.status)
    assert.equal("disk gone", r.body.checks.database.message)
    assert(json.encode(r.body))
  end)
end)
