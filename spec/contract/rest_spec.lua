-- REST plugins in whole turns, against a plugin that misbehaves over a real socket.

local eventually = require "spec.support.eventually"
local crypto = require "host.crypto"
local errors = require "parley.schema.errors"
local fs = require "host.fs"
local generation = require "parley.plugins.generation"
local compile = require("parley.schema.compile").compile
local config = require "parley.config"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local manifest_module = require "parley.plugins.manifest"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local rest_driver = require "parley.plugins.rest_driver"
local schema = require "parley.schema.v1alpha"
local task = require "host.task"
local webhook = require "parley.plugins.webhook"

local SECRET = "whsec_" .. crypto.base64(("k"):rep(32))

local function manifest(endpoint, more)
  local m = {
    transport = "rest", endpoint = endpoint, commands = { { name = "bad", description = "x" } },
    limits = { timeout_ms = 10000 }, permissions = { "jobs", "events" },
  }
  for k, v in pairs(more or {}) do m[k] = v end
  return m
end

local function settings(text)
  return ("return { plugins = { bad = { %s, greeting = 'hi' } } }"):format(text)
end

local GOOD = ("signing_secret = %q, allow_private = true"):format(SECRET)

describe("a REST plugin", function()
  local server, url, h
  local function start(conf, more)
    return host.start { config = settings(conf), plugins = { bad = { manifest = manifest(url, more) } } }
  end
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    url = ("http://127.0.0.1:%d/base/"):format(server.port)
    h = start(GOOD)
  end)
  teardown(function()
    h:stop()
    server:stop()
  end)

  local function calls()
    return json.decode(assert(http.request {
      url = ("http://127.0.0.1:%d/log"):format(server.port), allow_private = true, max_body = 1e8,
    }).body).calls
  end

  -- Lets go on what is held.
  local function go()
    assert(http.request { method = "POST", url = ("http://127.0.0.1:%d/go"):format(server.port), allow_private = true })
  end

  it("gets the envelope, signed, and answers", function()
    local r = h:say("first", "/bad ok indeed", { message_id = "m1" }).body
    assert.equal("answered", r.status)
    assert.equal("fine indeed", r.text)
    assert.equal("bad", r.plugin.name)
    local list = calls()
    local call = list[#list]
    assert.equal("/base/invoke", call.path)
    local request, headers = call.request, call.headers
    assert.equal("bad", request.plugin)
    assert.equal("first", request.dialog.id)
    assert.equal("text", request.event.type)
    assert.equal("/bad ok indeed", request.event.message.text)
    assert.equal(r.trace_id, request.trace_id)
    assert.same({ greeting = "hi" }, request.config) -- nothing of the operator's secrets
    assert.equal("00-" .. r.trace_id .. "-" .. r.trace_id:sub(1, 16) .. "-01", headers.traceparent)
    assert.equal("1", headers["parley-attempt"])
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT.*Z$", headers["parley-deadline"])
    assert.equal(request.invocation_id, headers["webhook-id"])
    -- The signature by somebody else's implementation.
    local signature = programs.run({ "python3", "-c", [[
import base64, hashlib, hmac, sys
signed = f"{sys.argv[1]}.{sys.argv[2]}.{sys.argv[3]}".encode()
print("v1," + base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode())
]], headers["webhook-id"], headers["webhook-timestamp"], call.body })
    assert.equal(signature.out, headers["webhook-signature"] .. "\n")
    local row = h.core.db:first("SELECT * FROM plugin_calls WHERE id = $1", request.invocation_id)
    assert.equal("ok", row.status)
    assert.equal(1, row.attempt)
  end)

  it("keeps its session between messages", function()
    assert.equal("count 1", h:say("state", "/bad state").body.text)
    assert.equal("count 2", h:say("state", "/bad state").body.text)
  end)

  it("gets the next message when it waits for one, and may leave one to others", function()
    assert.equal("and?", h:say("talk", "/bad enter asking").body.text)
    assert.equal("fine again", h:say("talk", "so ok again").body.text)
    assert.equal("text_reply", h:say("elsewhere", "so ok again").body.plugin.name)
    local r = h:say("talk", "/bad decline").body
    assert.same({ "fallback", "text_reply" }, { r.status, r.plugin.name })
    local row = h.core.db:first("SELECT status FROM plugin_calls WHERE plugin_id = 'bad' AND trace_id = $1", r.trace_id)
    assert.equal("ok", row.status)
  end)

  it("may schedule a job and be called for it", function()
    assert.equal("noted", h:say("job", "/bad schedule").body.text)
    eventually("the job fires", function()
      return h.core.db:first("SELECT payload FROM messages WHERE dialog_id = 'job' AND payload LIKE '%the job: ring%'")
    end)
  end)

  it("has been asked nothing but what InvokeRequestV1 says", function()
    local check, events = compile(schema.InvokeRequestV1), {}
    for _, call in ipairs(calls()) do
      events[call.request.event.type] = true
      local wrong = check(call.request)
      assert.is_nil(wrong, wrong and wrong[1].path .. ": " .. wrong[1].message)
    end
    assert.same({ text = true, job = true }, events)
  end)

  -- What it does, the code, and how often it was called. A connection that dies under a request
  -- before any answer is the client's to replace: the call comes again as the same attempt.
  for _, case in ipairs {
    { "hang", "timeout", 1 }, { "drip", "timeout", 1 }, { "reset", "connect", 1, 2 }, { "cut", "connect", 1 },
    { "status 500", "bad_status", 1 }, { "status 404", "bad_status", 1 }, { "status 401", "bad_status", 1 },
    { "status 204", "bad_status", 1 }, { "redirect", "bad_status", 1 },
    { "status 503", "bad_status", 3 }, { "status 502", "bad_status", 3 }, { "status 504", "bad_status", 3 },
    { "status 429", "rate_limited", 3 },
    { "html", "invalid_response", 1 }, { "big", "too_large", 1 }, { "long", "too_large", 1 },
    { "json {", "invalid_response", 1 }, { "json [1,2]", "invalid_response", 1 },
    { "json null", "invalid_response", 1 }, { "json {}", "invalid_response", 1 },
    { "json {\"actions\":{}}", "invalid_response", 1 }, { "json {\"actions\":[1]}", "invalid_response", 1 },
    { "json {\"actions\":[{\"type\":\"send\"}]}", "invalid_response", 1 },
    { "json {\"actions\":[],\"actions\":[]}", "invalid_response", 1 },
    { "json {\"actions\":[],\"state\":[1]}", "invalid_response", 1 },
    { "json {\"actions\":[{\"type\":\"launch\"}]}", "invalid_response", 1 },
    { "json {\"actions\":[{\"type\":\"send\",\"txt\":\"a\"}]}", "invalid_response", 1 },
    { "json {\"actions\":[{\"type\":\"send\",\"text\":\"a\",\"buttons\":[{}]}]}", "invalid_response", 1 },
    { "json {\"actions\":[{\"type\":[\"send\"]}]}", "invalid_response", 1 },
    { "json {\"actions\":[],\"end\":1}", "invalid_response", 1 },
    { "json {\"actions\":[],\"declined\":\"no\"}", "invalid_response", 1 },
    { "json {\"actions\":[],\"state\":{\"a\":1e999}}", "invalid_response", 1 },
    { "utf8", "invalid_response", 1 }, { "deep", "invalid_response", 1 },
    { "nested 60", "invalid_response", 1 }, { "type application/jsonish", "invalid_response", 1 },
    { "error", "exception", 1 }, { "ranting", "exception", 1 }, { "json {\"error\":\"no\"}", "exception", 1 },
  } do
    local mode, code, attempts, deliveries = case[1], case[2], case[3], case[4] or case[3]
    it("(" .. mode .. ") is a " .. code .. ", and the fallback answers", function()
      local own = start(GOOD, { limits = { timeout_ms = code == "timeout" and 1000 or 10000 } })
      local before = #calls()
      local r = own:say("d", "/bad " .. mode).body
      assert.equal("fallback", r.status)
      assert.equal("text_reply", r.plugin.name)
      local row = own.core.db:first "SELECT status, error_code, attempt FROM plugin_calls WHERE plugin_id = 'bad'"
      assert.same({ status = "failed", error_code = code, attempt = attempts }, row)
      local list = calls()
      assert.is_true(#list - before >= attempts and #list - before <= deliveries)
      for i = before + 1, #list do
        assert.equal(list[before + 1].headers["webhook-id"], list[i].headers["webhook-id"])
        assert.equal(tostring(math.min(i - before, attempts)), list[i].headers["parley-attempt"])
      end
      assert.equal("fine still", own:say("d", "/bad ok still").body.text)
      own:stop()
    end)
  end

  it("is tried again after 429, 502-504 until it answers", function()
    assert.equal("at last, call 3", h:say("again", "/bad then 503 2").body.text)
    -- No number of seconds: as if nothing had been said.
    for _, after in ipairs { "0", "nan", "inf", "-1", "0x1", "soon" } do
      assert.equal("thank you", h:say("again", "/bad after " .. after).body.text, after)
    end
    -- Retry-After beyond the deadline: there is no point in waiting.
    local before = #calls()
    assert.equal("fallback", h:say("again", "/bad after 30").body.status)
    assert.equal(before + 1, #calls())
  end)

  it("that is not there is tried again, and the fallback answers", function()
    local own = start(GOOD, { endpoint = "http://127.0.0.1:1" })
    assert.equal("fallback", own:say("d", "/bad ok").body.status)
    local row = own.core.db:first "SELECT status, error_code, attempt FROM plugin_calls WHERE plugin_id = 'bad'"
    assert.same({ status = "failed", error_code = "connect", attempt = 3 }, row)
    row = own.core.db:first "SELECT details FROM audit_logs WHERE action = 'plugin_failed'"
    local details = json.decode(row.details)
    assert.is_nil(compile(errors.PluginErrorV1)(details))
    assert.same({ "connect", "bad", true, 3 }, { details.code, details.plugin, details.retryable, details.attempt })
    own:stop()
  end)

  it("cannot fill the audit with its words", function()
    local own = start(GOOD)
    own:say("d", "/bad ranting")
    local row = own.core.db:first "SELECT details FROM audit_logs WHERE action = 'plugin_failed'"
    assert.is_true(#row.details < 2048)
    assert.matches("^error: [\128-\255]+%.%.%.$", json.decode(row.details).message)
    own:stop()
  end)

  it("may leave fields empty, and be newer than the host", function()
    local r = h:say("newer", '/bad json {"actions":[{"type":"send","text":"a","format":null,"colour":"red",'
      .. '"buttons":[[{"text":"b","url":null,"data":{"keep":null},"icon":1}]]}],"state":null,"error":null,"mood":1}').body
    assert.equal("answered", r.status)
    assert.same({ { type = "send", text = "a", buttons = { { { text = "b", plugin = "bad", data = { keep = json.null } } } } } },
      r.actions)
  end)

  it("may keep 64 KiB for a dialog, and keeps what it had when it wants more", function()
    for _, key in ipairs { "a", "b" } do
      assert.equal("answered", h:say("big", "/bad keep " .. key .. " 30000").body.status)
    end
    local function kept()
      local row = h.core.db:first "SELECT state FROM dialogs WHERE id = 'big'"
      local sizes = {}
      for key, value in pairs(json.decode(row.state).bad) do sizes[key] = #value end
      return sizes
    end
    assert.equal("fallback", h:say("big", "/bad keep c 6000").body.status)
    local row = h.core.db:first(
      "SELECT details FROM audit_logs WHERE action = 'plugin_failed' ORDER BY id DESC LIMIT 1")
    assert.equal("too_large", json.decode(row.details).code)
    assert.matches("the session would have 66022 bytes, at most 65536 are allowed", json.decode(row.details).message)
    assert.same({ a = 30000, b = 30000 }, kept())
    assert.equal("answered", h:say("big", "/bad keep a 6000").body.status) -- in the place of what was there
    assert.same({ a = 6000, b = 30000 }, kept())
  end)

  it("leaves its events, and its failures, in plugin_events", function()
    local own = start(GOOD)
    local r = own:say("d", "/bad emit").body
    assert.equal("answered", r.status)
    own:say("d", "/bad status 500")
    own:say("d", "/bad ok")
    local rows = own.core.db:query(
      "SELECT plugin_id, event_type, severity, payload, trace_id FROM plugin_events ORDER BY id")
    assert.equal(2, #rows)
    assert.same({ plugin_id = "bad", event_type = "sold", severity = "info", payload = '{"id":7}', trace_id = r.trace_id },
      rows[1])
    assert.equal("plugin_failed error", rows[2].event_type .. " " .. rows[2].severity)
    local payload = json.decode(rows[2].payload)
    assert.same({ "bad_status", 500 }, { payload.code, payload.http_status })
    assert.equal(1, own.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'sold'").n)
    own:stop()
  end)

  it("has its failure answered as on_error says", function()
    for on_error, expected in pairs {
      fallback = {
        status = "fallback", plugin = "text_reply", text = "I did not understand that. Send /help to see what I can do.",
      },
      reply = { status = "failed", text = "That did not work just now. Please try again later." },
      stop = { status = "failed", text = "" },
    } do
      local own = start(GOOD, { on_error = on_error })
      local r = own:say("d", "/bad status 500").body
      assert.same(expected, { status = r.status, plugin = r.plugin and r.plugin.name, text = r.text })
      if on_error == "reply" then
        assert.same({ { type = "send", text = expected.text } }, r.actions)
        assert.matches("Зараз це не вдалося", own:say("d", "/bad status 500", { locale = "uk-UA" }).body.text)
        assert.matches("Сейчас это не получилось", own:say("d", "/bad status 500", { locale = "ru" }).body.text)
      end
      own:stop()
    end
  end)

  it("does not hold up other dialogs", function()
    local before = #calls()
    local t = task.spawn(function() return h:say("stuck", "/bad held").body.text end)
    eventually("the call", function() return #calls() > before end)
    assert.equal("fine", h:say("free", "/bad ok").body.text:match "^%S+")
    assert.equal("waiting", t:status())
    go()
    assert.equal("slow and sure", select(2, t:join(30)))
  end)

  it("is durable before it is called", function()
    local t = task.spawn(function() return h:say("durable", "/bad held", { message_id = "once" }).body.text end)
    local row = eventually("its row", function()
      return h.core.db:first "SELECT state FROM inbox WHERE source = 'dialog:durable'"
    end)
    assert.equal("open", row.state)
    go()
    local _, text = t:join(30)
    assert.equal("slow and sure", text)
    assert.equal("done", h.core.db:first("SELECT state FROM inbox WHERE source = 'dialog:durable'").state)
  end)

  it("is called under the same id when a crash has cut its turn off", function()
    local own = start(GOOD)
    local before = #calls() + 1
    local t = task.spawn(function() own:say("cut", "/bad held", { message_id = "once" }) end)
    eventually("the call", function() return #calls() == before end)
    assert.equal("open", own.core.db:first("SELECT state FROM inbox WHERE key = 'once'").state)
    t:cancel()
    own.core:close() -- with the turn in the middle: all that the next start finds is the inbox
    local again = host.start { home = own.home }
    eventually("its end", function()
      go()
      return again.core.db:first "SELECT 1 FROM inbox WHERE state = 'done'"
    end)
    local list = calls()
    assert.equal(before + 1, #list)
    assert.equal(list[before].headers["webhook-id"], list[before + 1].headers["webhook-id"])
    assert.equal("slow and sure", again:say("cut", "/bad held", { message_id = "once" }).body.text)
    assert.equal(before + 1, #calls())
    again:stop()
  end)

  it("opens its circuit when it fails too often", function()
    local own = start(GOOD)
    for _ = 1, 10 do own:say("d", "/bad status 500") end
    local before = #calls()
    own:say("d", "/bad ok")
    assert.equal(before, #calls())
    local row = own.core.db:first "SELECT error_code FROM plugin_calls WHERE plugin_id = 'bad' ORDER BY id DESC LIMIT 1"
    assert.equal("circuit_open", row.error_code)
    own:stop()
  end)

  it("has its circuit opened by answers of the wrong shape, not by errors that it states", function()
    local own = start(GOOD)
    for _ = 1, 12 do own:say("d", "/bad error") end
    assert.equal("fine", own:say("d", "/bad ok").body.text:match "^%S+")
    for _ = 1, 13 do own:say("d", "/bad json {}") end
    local plugin = own.core.manager.current.chooser.by_name.bad
    assert.equal("open", plugin.circuit.state)
    local row
    for _, p in ipairs(own.core:status().plugins) do
      if p.name == "bad" then row = p end
    end
    assert.equal("degraded", row.state)
    assert.matches("^failed too often, asked again in %d+ s$", row.reason)
    plugin.circuit.opened_at = plugin.circuit.opened_at - 20 -- later
    for _ = 1, 2 do assert.equal("answered", own:say("d", "/bad ok").body.status) end
    assert.equal("closed", plugin.circuit.state)
    own:stop()
  end)

  it("gets at most 128 calls at a time, the others wait", function()
    local fresh = python.start "spec/support/fake_plugin.py"
    local address = ("http://127.0.0.1:%d/"):format(fresh.port)
    local m = assert(manifest_module.check(json.encode {
      schema = "v1alpha", name = "bad", version = "1.0.0", api = "1", transport = "rest", endpoint = address,
      limits = { timeout_ms = 10000 },
    }))
    local driver = assert(rest_driver.new(m, { signing_secret = SECRET, allow_private = true }))
    local tasks = {}
    for i = 1, 140 do
      tasks[i] = task.spawn(function()
        return driver:invoke({
          deadline_ms = 10000, trace_id = ("a"):rep(32), dialog = { state = {} },
          event = { message = { text = "/bad slow 1" } },
        }, nil, "many-" .. i)
      end)
    end
    for _, t in ipairs(tasks) do
      local _, response = t:join()
      assert.equal("slow and sure", response.actions[1].text)
    end
    assert.equal(128, json.decode(assert(http.request { url = address .. "log", allow_private = true }).body).most)
    assert.equal(0, driver:stats().calls_running)
    fresh:stop()
  end)

  it("is not reached at a private address unless the operator allows it", function()
    local own = start(("signing_secret = %q"):format(SECRET))
    assert.equal("fallback", own:say("d", "/bad ok").body.status)
    local row = own.core.db:first "SELECT details FROM audit_logs WHERE action = 'plugin_failed'"
    local details = json.decode(row.details)
    assert.equal("permission", details.code)
    assert.matches("plugins%.bad%.allow_private allows it", details.message)
    own:stop()
  end)

  it("is refused without a good secret", function()
    for conf, pattern in pairs {
      ["enabled = true"] = 'plugins%.bad%.signing_secret is missing, .*: plugins = { bad = { signing_secret = secret "BAD',
      ["signing_secret = 'whsec_c2hvcnQ='"] =
        "plugins%.bad%.signing_secret: expected 'whsec_' and the base64 of 24 to 64 random bytes",
      ["signing_secret = 'hunter2'"] = "plugins%.bad%.signing_secret",
      [GOOD:gsub("true", "1")] = "plugins%.bad%.allow_private: true or false expected",
    } do
      local home = host.temp_dir()
      assert(fs.mkdir(home .. "/conf"))
      assert(fs.write(home .. "/conf/parley.lua", settings(conf)))
      host.write_plugin({ home = home }, "bad", { manifest = manifest(url) })
      local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
      assert.is_nil(g)
      assert.equal("config", err.code)
      assert.matches("conf/parley.lua:%d+: " .. pattern, err.message)
    end
  end)
end)

describe("signatures", function()
  it("are those of Standard Webhooks", function()
    -- Computed with Python's hmac: key = bytes(range(32)).
    local raw = {}
    for i = 0, 31 do raw[#raw + 1] = string.char(i) end
    local key = assert(webhook.key("whsec_" .. crypto.base64(table.concat(raw))))
    assert.equal("v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj4=", webhook.sign(key, "msg_1", 1700000000, '{"a":1}'))
    assert.truthy(webhook.key(webhook.new_secret()))
  end)
end)
