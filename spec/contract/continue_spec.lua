-- A REST plugin answers 202 with a token, and brings its actions later: once, in the dialog's lane, in time.

local eventually = require "spec.support.eventually"
local continue = require "parley.turn.continue"
local crypto = require "host.crypto"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"
local sweep = require "parley.store.sweep"
local task = require "host.task"

local SECRET = "whsec_" .. crypto.base64(("k"):rep(32))
local CONFIG = [[return { continue_seconds = %g, plugins = {
  bad = { signing_secret = %q, allow_private = true, token_id = %q },
  other = { signing_secret = %q, allow_private = true, token_id = %q },
} }]]

describe("a REST plugin that answers 202", function()
  local server, h, own, others, n
  setup(function() server = python.start "spec/support/fake_plugin.py" end)
  teardown(function() server:stop() end)

  -- The tokens' ids stand in the configuration, so they are made first, with a core that is thrown away.
  local function start(seconds, manifest)
    local url = ("http://127.0.0.1:%d/base"):format(server.port)
    local function rest(name, more)
      local m = { transport = "rest", endpoint = url, commands = { { name = name, description = "x" } } }
      for k, v in pairs(more or {}) do m[k] = v end
      return { manifest = m }
    end
    local first = host.start()
    local id, other_id
    own, id = first:make_token({}, "plg")
    others, other_id = first:make_token({}, "plg")
    first:stop()
    h = host.start {
      home = first.home, config = CONFIG:format(seconds or 60, SECRET, id, SECRET, other_id),
      plugins = {
        bad = rest("bad", manifest), other = rest "other",
        pal = { main = "local p = parley.plugin() p.on.any(function(c) c:reply('pal on ' .. c.event.type) end) return p" },
      },
    }
  end
  before_each(function()
    n = (n or 0) + 1
    start()
  end)
  after_each(function() h:stop() end)

  local function token(i) return ("token-%04d-of-turn-%d"):format(n, i or 1) end

  local function bring(body, opts)
    opts = opts or {}
    return h:request("POST", "/api/v1/turns/" .. (opts.path or token(opts.i)) .. "/actions", body,
      { token = false, headers = { ["X-Plugin-Token"] = opts.token or own, ["Idempotency-Key"] = opts.key } })
  end

  local function sent(dialog)
    local out = {}
    for _, m in ipairs(h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages) do
      for _, action in ipairs(m.payload.actions or {}) do out[#out + 1] = action.text or action.type end
    end
    return out
  end

  local DONE = { actions = { { type = "send", text = "done" } }, state = { count = 5 } }

  it("has its turn stored, and its actions and state taken once", function()
    local r = h:say("d", "/bad later " .. token() .. " typing")
    assert.equal(200, r.status)
    assert.equal("queued", r.body.status)
    assert.equal("bad", r.body.plugin.name)
    assert.same({ "typing" }, sent "d")
    local call = h.core.db:first "SELECT id, status FROM plugin_calls"
    assert.equal("queued", call.status)
    local late = bring(DONE)
    assert.equal(200, late.status, late.text)
    assert.equal(call.id, late.body.invocation_id)
    assert.equal("answered", late.body.status)
    assert.equal(r.body.trace_id, late.body.trace_id)
    assert.same({ "typing", "done" }, sent "d")
    assert.equal("count 6", h:say("d", "/bad state").body.text)
    local again = bring(DONE)
    assert.same({ 409, "continuation_done" }, { again.status, again.body.code })
    assert.same({ "typing", "done", "count 6" }, sent "d")
    local events = h.core.db:query("SELECT action FROM audit_logs WHERE trace_id = $1 AND source = 'bad' ORDER BY id",
      r.body.trace_id)
    assert.same({ { action = "plugin_invocation_started" }, { action = "plugin_invocation_completed" } }, events)
    -- The token is nowhere in the clear.
    assert.is_nil(h.core.db:first("SELECT 1 FROM continuations WHERE token_hash LIKE $1", "%" .. token() .. "%"))
  end)

  it("gets the first answer again for the same Idempotency-Key", function()
    h:say("d", "/bad later " .. token())
    local one, two = bring(DONE, { key = "k" }), bring(DONE, { key = "k" })
    assert.same({ 200, 200, one.text }, { one.status, two.status, two.text })
    assert.equal("true", two.headers["idempotency-replayed"])
    assert.same({ "done" }, sent "d")
  end)

  it("is applied once when it comes twice at the same time", function()
    h:say("d", "/bad later " .. token())
    local statuses, tasks = {}, {}
    for i = 1, 5 do tasks[i] = task.spawn(function() return bring(DONE).status end) end
    for i = 1, 5 do statuses[i] = select(2, tasks[i]:join(60)) end
    table.sort(statuses)
    assert.same({ 200, 409, 409, 409, 409 }, statuses)
    assert.same({ "done" }, sent "d")
  end)

  it("may bring its actions before its 202 is stored", function()
    local early = task.spawn(function() return bring(DONE) end)
    task.sleep(0.05)
    h:say("d", "/bad later " .. token())
    local _, r = early:join(60)
    assert.equal(200, r.status)
    assert.same({ "done" }, sent "d")
  end)

  it("has its own tokens only", function()
    h:say("d", "/bad later " .. token())
    for _, case in ipairs {
      { { token = others }, 404, "continuation_not_found" },
      { { token = others, path = token() .. "x" }, 404, "continuation_not_found" },
      { { token = h.token }, 403, "forbidden" }, { { token = "x" }, 401, "unauthorized" },
      { { token = (h:make_token({}, "plg")) }, 403, "forbidden" },
    } do
      local r = bring(DONE, case[1])
      assert.same({ case[2], case[3] }, { r.status, r.body.code })
    end
    assert.same({}, sent "d")
    assert.equal(200, bring(DONE).status)
  end)

  it("is told what is wrong with its actions, and may bring them again", function()
    h:say("d", "/bad later " .. token())
    for _, case in ipairs {
      { { actions = { { type = "launch" } } }, 400, "validation_failed", "actions[0]: type: there is no action 'launch'" },
      { {}, 400, "validation_failed", "actions: a list was expected" },
      { { actions = "x" }, 400, "validation_failed", "/actions" },
      { { actions = { { type = "event", name = "x" } } }, 403, "forbidden", "needs the permission 'events'" },
      { { actions = {}, state = { a = ("x"):rep(66000) } }, 413, "too_large", "the session would have" },
    } do
      local r = bring((json.encode(case[1]):gsub('"actions":{}', '"actions":[]')))
      assert.same({ case[2], case[3] }, { r.status, r.body.code })
      assert(r.body.detail:find(case[4], 1, true), r.body.detail)
    end
    assert.equal(200, bring(json.encode { actions = DONE.actions, state = json.null, extra = 1 }).status)
    assert.same({ "done" }, sent "d")
  end)

  it("comes too late after a while, and after a reset", function()
    h:say("d", "/bad later " .. token())
    h:request("POST", "/api/v1/dialogs/d/reset", {})
    local r = bring(DONE)
    assert.same({ 410, "continuation_expired", "the dialog was reset since" }, { r.status, r.body.code, r.body.detail })
  end)

  it("comes too late after a while, and the user has been told", function()
    h:stop()
    start(0.1)
    local r = h:say("d", "/bad later " .. token())
    h:say("gone", "/bad later " .. token(2))
    h:request("POST", "/api/v1/dialogs/gone/reset", {})
    eventually("the end of both", function()
      return h.core.db:first("SELECT count(*) AS n FROM continuations WHERE done_at IS NULL").n == 0
    end)
    assert.same({ "That did not work just now. Please try again later." }, sent "d")
    assert.same({}, sent "gone") -- it was reset meanwhile
    local late = bring(DONE)
    assert.same({ 409, "continuation_done" }, { late.status, late.body.code })
    local rows = h.core.db:query("SELECT * FROM audit_logs WHERE action = 'plugin_timeout' AND trace_id = $1", r.body.trace_id)
    assert.equal(1, #rows)
    assert.same({ "bad", "error" }, { rows[1].source, rows[1].severity })
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM plugin_events WHERE event_type = 'plugin_timeout'").n)
  end)

  it("comes too late when its time has just passed", function()
    h:say("d", "/bad later " .. token())
    local row = h.core.db:first "SELECT * FROM continuations"
    row.expires_at = 1
    assert.same({ code = "continuation_expired", message = "the actions of this turn come too late" }, continue.problem(row, 0))
  end)

  it("is forgotten a day after its time", function()
    h:say("d", "/bad later " .. token())
    h:say("d", "/bad later " .. token(2))
    assert(h.core.db:commit {
      { "UPDATE continuations SET expires_at = 1 WHERE token_hash = $1", continue.hash("bad", token()), expect = 1 },
    })
    assert.equal(1, sweep.once(h.core.db))
    assert.equal(404, bring(DONE).status)
    assert.equal(200, bring(DONE, { i = 2 }).status)
  end)

  it("may say that it has failed, and the user is told", function()
    h:say("d", "/bad later " .. token())
    local r = bring { error = { code = "no_stock", message = "sold out" } }
    assert.same({ 200, "failed" }, { r.status, r.body.status })
    assert.same({ "That did not work just now. Please try again later." }, sent "d")
    local row = h.core.db:first "SELECT details, severity FROM audit_logs WHERE action = 'plugin_failed'"
    assert.equal("no_stock: sold out", json.decode(row.details).message)
    assert.equal(409, bring(DONE).status)
  end)

  it("may invoke another plugin then", function()
    h:say("d", "/bad later " .. token())
    assert.equal("answered", bring({ actions = { { type = "invoke", plugin = "pal" } } }).body.status)
    assert.same({ "pal on continue" }, sent "d")
  end)

  it("waits for its dialog's lane", function()
    h:say("d", "/bad later " .. token())
    local slow = task.spawn(function() return h:say("d", "/bad held").body.text end)
    eventually("its turn", function() return h.core.lanes:busy "d" end)
    local brought = task.spawn(function() return bring(DONE).status end)
    eventually("what waits", function() return h.core.lanes.waiting == 1 end)
    assert(http.request { method = "POST", url = ("http://127.0.0.1:%d/go"):format(server.port), allow_private = true })
    assert.equal(200, select(2, brought:join(30)))
    assert.equal("slow and sure", select(2, slow:join(30)))
    assert.same({ "slow and sure", "done" }, sent "d")
  end)

  it("is refused once it is disabled", function()
    h:say("d", "/bad later " .. token())
    h.core.manager.current.chooser.by_name.bad.state = "disabled"
    assert.same({ 403, "the plugin is disabled" }, (function(r) return { r.status, r.body.detail } end)(bring(DONE)))
  end)

  for name, text in pairs {
    ["a short token"] = "/bad later short", ["a token with a slash"] = "/bad later 0123456789/0123456789",
    ["a token and declines"] = "/bad later 01234567890123456789 declined",
  } do
    it("with " .. name .. " has failed", function()
      assert.equal("fallback", h:say("d", text).body.status)
      assert.equal("invalid_response", h.core.db:first("SELECT error_code FROM plugin_calls WHERE plugin_id = 'bad'").error_code)
      assert.equal(0, h:count "continuations")
    end)
  end

  it("with a token of an earlier turn has failed", function()
    assert.equal("queued", h:say("d", "/bad later " .. token()).body.status)
    assert.equal("fallback", h:say("e", "/bad later " .. token()).body.status)
    assert.equal(200, bring(DONE).status)
    assert.same({ "done" }, sent "d")
  end)
end)
