-- Events of turns are rows of the audit: one for each, with severity and trace, in the transaction of the fact.

local eventually = require "spec.support.eventually"
local crypto = require "host.crypto"
local host = require "spec.support.host"
local json = require "host.json"
local python = require "spec.support.python"

describe("the audit", function()
  local server, h
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    h = host.start {
      config = ("return { plugins = { bad = { signing_secret = %q, allow_private = true } } }")
        :format("whsec_" .. crypto.base64(("k"):rep(32))),
      plugins = { bad = { manifest = {
        transport = "rest", endpoint = ("http://127.0.0.1:%d/base"):format(server.port), limits = { timeout_ms = 300 },
      } } },
    }
  end)
  teardown(function()
    h:stop()
    server:stop()
  end)

  -- What the audit has under a trace: "source action severity".
  local function of(trace_id)
    local out = {}
    local rows = h.core.db:query("SELECT * FROM audit_logs WHERE trace_id = $1 AND source <> 'rules' ORDER BY id", trace_id)
    for i, row in ipairs(rows) do out[i] = ("%s %s %s"):format(row.source, row.action, row.severity) end
    return out, rows
  end

  local function say(text, more) return h:say("d", text, more).body end

  it("has a call and its end, and the call's id in both", function()
    local r = say "/echo hi"
    local list, rows = of(r.trace_id)
    assert.same({ "echo plugin_invocation_started info", "echo plugin_invocation_completed info" }, list)
    local call = h.core.db:first("SELECT id, trace_id FROM plugin_calls WHERE trace_id = $1", r.trace_id)
    for _, row in ipairs(rows) do assert.equal(call.id, json.decode(row.details).invocation_id) end
    assert.is_true(rows[1].created_at <= rows[2].created_at)
  end)

  it("has one row for a call that was tried three times", function()
    assert.same({
      "bad plugin_invocation_started info", "bad plugin_failed error",
      "text_reply plugin_invocation_started info", "text_reply plugin_invocation_completed info",
    }, (of(say("/bad status 503").trace_id)))
  end)

  it("tells a timeout from another failure", function()
    local r = say "/bad hang"
    local list, rows = of(r.trace_id)
    assert.same({ "bad plugin_invocation_started info", "bad plugin_timeout error" }, { list[1], list[2] })
    assert.equal("timeout", json.decode(rows[2].details).code)
    local events = h.core.db:query("SELECT event_type, severity FROM plugin_events WHERE trace_id = $1", r.trace_id)
    assert.same({ { event_type = "plugin_timeout", severity = "error" } }, events)
  end)

  it("has a reset, once for an Idempotency-Key", function()
    say "/echo hi"
    local first = h:request("POST", "/api/v1/dialogs/d/reset", { reason = "enough" }, { headers = { ["Idempotency-Key"] = "r" } })
    h:request("POST", "/api/v1/dialogs/d/reset", { reason = "enough" }, { headers = { ["Idempotency-Key"] = "r" } })
    local list, rows = of(first.body.trace_id)
    assert.same({ "core dialog_reset info" }, list)
    assert.same({ dialog_id = "d", reason = "enough" }, json.decode(rows[1].details))
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'dialog_reset'").n)
  end)

  it("has nothing more when a message comes again", function()
    local first = say("/echo once", { message_id = "m" })
    local again = h:request("POST", "/api/v1/dialogs/d/messages",
      { user = { external_id = "alice" }, type = "text", text = "/echo once", message_id = "m" })
    assert.equal("true", again.headers["idempotency-replayed"])
    assert.equal(2, #of(first.trace_id))
  end)

  it("has what a plugin emits and what rules and jobs do in the same way", function()
    local own = host.start { plugins = { teller = {
      manifest = { permissions = { "events", "jobs" } },
      main = [[local p = parley.plugin()
        p.on.command("teller", function(c) c:emit("sold", { n = 1 }) c:schedule { ["in"] = 0, job = "later" } end)
        p.on.job("later", function(c) c:emit "rang" end)
        return p]],
    } } }
    local r = own:say("d", "/teller").body
    local list = eventually("all six", function()
      local rows = own.core.db:query("SELECT action, severity FROM audit_logs WHERE trace_id = $1 ORDER BY id", r.trace_id)
      return #rows == 6 and rows
    end)
    own:stop()
    local names = {}
    for i, row in ipairs(list) do names[i] = row.action .. " " .. row.severity end
    assert.same({
      "plugin_invocation_started info", "plugin_invocation_completed info", "sold info",
      "plugin_invocation_started info", "plugin_invocation_completed info", "rang info",
    }, names)
  end)

  it("has nothing of a turn that is not stored", function()
    local before = h:count "audit_logs"
    assert(h.core.db:script "ALTER TABLE plugin_calls RENAME TO calls_away")
    local r = h:say("d", "/echo lost")
    local between = h:count "audit_logs"
    assert(h.core.db:script "ALTER TABLE calls_away RENAME TO plugin_calls")
    assert.is_true(r.status >= 500)
    assert.equal(before, between)
    assert.equal(2, #of(say("/echo found").trace_id))
  end)
end)
