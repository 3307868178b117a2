-- What plugins tell: published in batches, read by filters, newest first.

local host = require "spec.support.host"
local json = require "host.json"
local registration = require "spec.support.registration"
local time = require "host.time"

local EVENTS = "/api/v1/plugins/events"
local OPEN = "return { allow_private_plugins = true }"
local AT = { endpoint = "http://127.0.0.1:9" }

local function start()
  local h = host.start { config = OPEN }
  local answer, plugin = registration.register(h, AT)
  return h, function(body, headers) return plugin("POST", "/api/v1/plugins/dice/events", body, headers) end,
    h:client("plg", { "events:read" }), answer
end

describe("events of plugins", function()
  local h, publish, watcher
  before_each(function() h, publish, watcher = start() end)
  after_each(function() h:stop() end)

  local function read(filter)
    local out, cursor = {}, ""
    repeat
      local r = watcher("GET", ("%s?limit=7&cursor=%s&%s"):format(EVENTS, cursor, filter))
      assert.equal(200, r.status, r.text)
      for _, e in ipairs(r.body.events) do out[#out + 1] = e end
      cursor = r.body.next_cursor
    until not cursor
    return out
  end

  it("are published one by one, with all they say", function()
    local trace = ("ab"):rep(16)
    local r = publish {
      event_type = "stock_low", severity = "warning", payload = { item = "tea", left = 3 },
      occurred_at = "2026-01-02T03:04:05.678+01:00", trace_id = trace,
      invocation_id = "01890000-0000-7000-8000-000000000000",
    }
    assert.equal(200, r.status, r.text)
    assert.equal(1, r.body.accepted)
    local e = read("trace=" .. trace)[1]
    assert.equal(r.body.ids[1], e.id)
    assert.is_true(e.received_at > "2026-11-01")
    e.id, e.received_at = nil, nil
    assert.same({
      plugin_id = "dice", event_type = "stock_low", severity = "warning", payload = { item = "tea", left = 3 },
      occurred_at = "2026-01-02T02:04:05.678Z", trace_id = trace, invocation_id = "01890000-0000-7000-8000-000000000000",
    }, e)
  end)

  it("have the time and the trace of the request, when they name none", function()
    local r = publish { event_type = "x", severity = "info" }
    local e = read "type=x"
    assert.equal(1, #e)
    assert.equal(r.headers["x-trace-id"], e[1].trace_id)
    assert.equal(e[1].occurred_at:sub(1, 10), time.rfc3339():sub(1, 10))
    assert.is_nil(e[1].payload)
  end)

  it("come in batches of at most a hundred, all or none", function()
    local batch = json.array()
    for i = 1, 100 do batch[i] = { event_type = "tick", severity = "debug", payload = { n = i } } end
    local r = publish(batch)
    assert.equal(200, r.status, r.text)
    assert.same({ 100, 100 }, { r.body.accepted, #r.body.ids })
    local seen = read "type=tick"
    assert.equal(100, #seen)
    for i, e in ipairs(seen) do assert.equal(101 - i, e.payload.n) end -- newest first, in their order

    batch[101] = { event_type = "tick", severity = "debug" }
    assert.equal("validation_failed", publish(batch).body.code)
    batch[101] = nil
    batch[50].severity = "loud"
    r = publish(batch)
    assert.equal("/49/severity", r.body.errors[1].path)
    batch[50].severity, batch[50].occurred_at = "info", "2026-02-30T00:00:00Z"
    r = publish(batch)
    assert.equal("/49/occurred_at", r.body.errors[1].path)
    assert.equal("validation_failed", publish(json.array()).body.code)
    assert.equal(100, #read "type=tick")
  end)

  it("are in the audit, too, when they are serious", function()
    for _, severity in ipairs { "debug", "info", "warning", "error", "critical" } do
      publish { event_type = "it_happens", severity = severity, payload = { how = severity } }
    end
    local entries = h:client("adm", { "admin" })("GET", "/api/v1/admin/audit?action=it_happens").body.entries
    assert.equal(2, #entries)
    assert.same({ "critical", "dice", { how = "critical" } },
      { entries[1].severity, entries[1].source, entries[1].details })
  end)

  it("are found by plugin, type, severity, trace and time", function()
    local trace = publish({ event_type = "a", severity = "info" }).headers["x-trace-id"]
    publish { event_type = "b", severity = "error" }
    publish { event_type = "b", severity = "info" }
    assert.equal(2, #read "type=b")
    assert.equal(1, #read "type=b&severity=error")
    assert.equal(1, #read("trace=" .. trace))
    assert.equal(4, #read "plugin=dice") -- its registration, too
    assert.equal(0, #read "plugin=echo")
    local all = read ""
    assert.equal(#all, #read("since=" .. all[#all].received_at))
    assert.equal(0, #read("until=" .. all[#all].received_at))
  end)

  it("of turns stand among them", function()
    assert.equal("fallback", h:say("d", "/roll").body.status) -- nobody listens there
    local e = read "type=plugin_failed"
    assert.equal(1, #e)
    assert.same({ "dice", "error", "connect" }, { e[1].plugin_id, e[1].severity, e[1].payload.code })
  end)

  it("are published once for an Idempotency-Key", function()
    local body, key = { event_type = "once", severity = "info" }, { ["Idempotency-Key"] = "e1" }
    local first = publish(body, key)
    assert.equal(first.text, publish(body, key).text)
    assert.equal(1, #read "type=once")
  end)

  it("are for the plugin's own token alone", function()
    local _, other = registration.register(h, { name = "other", commands = json.array(), endpoint = AT.endpoint })
    local r = other("POST", "/api/v1/plugins/dice/events", { event_type = "x", severity = "info" })
    assert.same({ 403, "forbidden" }, { r.status, r.body.code })
    assert.equal(0, #read "type=x")
  end)
end)
