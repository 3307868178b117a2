local host = require "spec.support.host"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

describe("a message", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  it("is answered by the plugin that its command belongs to", function()
    local r = h:say("d1", "/echo hello")
    assert.equal(200, r.status)
    assert.equal("answered", r.body.status)
    assert.equal("hello", r.body.text)
    assert.equal("echo", r.body.plugin.name)
    assert.equal("send", r.body.actions[1].type)
    assert.equal(32, #r.body.trace_id)
    assert.equal(r.body.trace_id, r.headers["x-trace-id"])
    assert.is_number(r.body.latency_ms.total)
  end)

  it("falls back to text_reply in the user's language", function()
    local r = h:say("d-uk", "що?", { locale = "uk-UA" })
    assert.equal("fallback", r.body.status)
    assert.equal("text_reply", r.body.plugin.name)
    assert.matches("Я не зрозумів", r.body.text)
  end)

  it("leaves its rows in one transaction", function()
    h:say("rows", "/echo x")
    local db = h.core.db
    local d = db:first("SELECT * FROM dialogs WHERE id = 'rows'")
    assert.equal(1, d.version)
    assert.equal('{"echo":{"count":1}}', d.state)
    assert.equal(2, #db:query("SELECT * FROM messages WHERE dialog_id = 'rows'"))
    local call = db:first("SELECT * FROM plugin_calls WHERE dialog_id = 'rows'")
    assert.equal("ok", call.status)
    local audit = db:query("SELECT action FROM audit_logs WHERE trace_id = $1 ORDER BY id", call.trace_id)
    assert.same({ { action = "plugin_invocation_started" }, { action = "plugin_invocation_completed" } }, audit)
    assert.equal("done", db:first("SELECT state FROM inbox WHERE dialog_id = 'rows'").state)
  end)

  it("with the same message_id gets the first answer, once", function()
    local a = h:say("idem", "/echo one", { message_id = "m1" })
    local b = h:say("idem", "/echo one", { message_id = "m1" })
    assert.equal(a.text, b.text)
    assert.equal("true", b.headers["idempotency-replayed"])
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM plugin_calls WHERE dialog_id = 'idem'").n)
    local c = h:say("idem", "/echo two", { message_id = "m1" })
    assert.equal(409, c.status)
    assert.equal("idempotency_mismatch", c.body.code)
  end)

  it("of type event goes to the plugin that its payload names", function()
    local own = host.start { plugins = { shop = { main = [[local p = parley.plugin()
      p.on.event("paid", function(c, data) c:reply("thanks for " .. data.sum) end) return p]] } } }
    local function event(name)
      return own:request("POST", "/api/v1/dialogs/ev/messages", {
        user = { external_id = "a" }, type = "event", payload = { plugin = "shop", name = name, data = { sum = 5 } },
      }).body
    end
    assert.equal("thanks for 5", event("paid").text)
    assert.not_equal("shop", (event("unknown").plugin or {}).name)
    own:stop()
  end)

  it("keeps its trace id from a valid traceparent only", function()
    local id = "0af7651916cd43dd8448eb211c80319c"
    local function trace(value)
      local r = h:request("GET", "/api/v1/dialogs/none", nil, { headers = { traceparent = value } })
      return r.body.trace_id
    end
    assert.equal(id, trace("00-" .. id .. "-b7ad6b7169203331-01"))
    for _, bad in ipairs {
      "00-" .. ("0"):rep(32) .. "-b7ad6b7169203331-01", "01-" .. id .. "-b7ad6b7169203331-01",
      "00-" .. id:upper() .. "-b7ad6b7169203331-01", "00-" .. id .. "-" .. ("0"):rep(16) .. "-01",
      "00-" .. id .. "-B7AD6B7169203331-01", id, "",
    } do
      assert.not_equal(id, trace(bad))
      assert.equal(32, #trace(bad))
    end
  end)

  it("counts in order within a dialog, with dialogs in parallel", function()
    local hs, replies = {}, {}
    for i = 1, 40 do
      hs[i] = task.spawn(function() replies[i] = h:say("par" .. i % 4, "/echo " .. i).body.text end)
    end
    for i = 1, 40 do hs[i]:join() end
    for i = 1, 40 do assert.equal(tostring(i), replies[i]) end
    for k = 0, 3 do
      local row = h.core.db:first("SELECT version, state FROM dialogs WHERE id = $1", "par" .. k)
      assert.equal(10, row.version)
      assert.equal(10, json.decode(row.state).echo.count)
    end
  end)
end)

describe("a dialog", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  it("shows its history in pages, newest last", function()
    for i = 1, 5 do h:say("hist", "/echo " .. i) end
    local r = h:request("GET", "/api/v1/dialogs/hist?limit=4")
    assert.equal(200, r.status)
    assert.equal(4, #r.body.messages)
    assert.equal("5", r.body.messages[4].payload.actions[1].text)
    assert.equal("alice", r.body.dialog.user.external_id)
    local older = h:request("GET", "/api/v1/dialogs/hist?limit=200&cursor=" .. r.body.next_cursor)
    assert.equal(6, #older.body.messages)
    assert.is_nil(older.body.next_cursor)
    assert.equal("/echo 1", older.body.messages[1].payload.text)
  end)

  it("forgets its history and state at a reset, and keeps the rows", function()
    h:say("re", "/echo a")
    local r = h:request("POST", "/api/v1/dialogs/re/reset", { reason = "test" })
    assert.equal(200, r.status)
    assert.equal("reset", r.body.status)
    assert.equal(1, r.body.reset_version)
    assert.same({}, h:request("GET", "/api/v1/dialogs/re").body.messages)
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM messages WHERE dialog_id = 're'").n)
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'dialog_reset'").n)
    h:say("re", "/echo b")
    assert.equal(2, #h:request("GET", "/api/v1/dialogs/re").body.messages)
    assert.equal(2, h:request("POST", "/api/v1/dialogs/re/reset", "").body.reset_version) -- nothing in it is needed
    assert.equal(404, h:request("POST", "/api/v1/dialogs/nobody/reset", {}).status)
  end)

  it("is created by nothing but a message", function()
    local r = h:request("GET", "/api/v1/dialogs/nobody")
    assert.equal(404, r.status)
    assert.equal("dialog_not_found", r.body.code)
  end)
end)

describe("a user", function()
  it("is created once and updated after", function()
    local h = host.start()
    local a = h:request("POST", "/api/v1/users", { external_id = "bob", name = "Bob", attributes = { vip = true } })
    assert.equal(201, a.status)
    assert.is_true(a.body.created)
    local b = h:request("POST", "/api/v1/users", { external_id = "bob", locale = "uk" })
    assert.equal(200, b.status)
    assert.equal(a.body.user.id, b.body.user.id)
    assert.equal("Bob", b.body.user.name)
    assert.equal("uk", b.body.user.locale)
    assert.same({ vip = true }, b.body.user.attributes)
    assert.equal(400, h:request("POST", "/api/v1/users", { name = "x" }).status)
    assert.equal(400, h:request("POST", "/api/v1/users", { external_id = "a", telegram_id = 1 }).status)
    h:stop()
  end)
end)

describe("bad input", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  local good = { user = { external_id = "a" }, type = "text", text = "x" }
  local function with(changes)
    local body = {}
    for k, v in pairs(good) do body[k] = v end
    for k, v in pairs(changes) do body[k] = v end
    return body
  end

  it("gets the exact status and code, and stores nothing", function()
    local before = { h:count "messages", h:count "inbox", h:count "dialogs", h:count "users" }
    local deep = ("["):rep(70) .. ("]"):rep(70)
    for name, case in pairs {
      ["no JSON"] = { "{", 400, "invalid_json" },
      ["an empty body"] = { "", 400, "invalid_json" },
      ["a list"] = { "[]", 400, "validation_failed" },
      ["invalid UTF-8"] = { '{"text":"\255"}', 400, "invalid_utf8" },
      ["deep nesting"] = { deep, 400, "too_deep" },
      ["a duplicate key"] = { '{"type":"text","type":"text"}', 400, "invalid_json" },
      ["an integer beyond 2^53"] = {
        '{"type":"text","text":"x","user":{"telegram_id":9007199254740993}}', 400, "number_out_of_range",
      },
      ["an unknown field"] = { with { txet = 1 }, 400, "validation_failed", "/txet" },
      ["a missing type"] = { { user = good.user, text = "x" }, 400, "validation_failed", "/type" },
      ["a missing user"] = { { type = "text", text = "x" }, 400, "validation_failed", "/user" },
      ["a user without identity"] = { with { user = json.decode "{}" }, 400, "validation_failed", "/user" },
      ["an unknown type"] = { with { type = "smoke" }, 400, "validation_failed", "/type" },
      ["null for text"] = { with { text = json.null }, 400, "validation_failed", "/text" },
      ["a number for text"] = { with { text = 5 }, 400, "validation_failed", "/text" },
      ["text without text"] = { { user = good.user, type = "text" }, 400, "validation_failed", "/text" },
      ["a long text"] = { with { text = ("ж"):rep(16385) }, 400, "validation_failed", "/text" },
      ["a long message_id"] = { with { message_id = ("m"):rep(129) }, 400, "validation_failed", "/message_id" },
      ["a large context"] = { with { context = { x = ("y"):rep(17000) } }, 400, "validation_failed", "/context" },
      ["a negative telegram_id"] = { with { user = { telegram_id = -1 } }, 400, "validation_failed", "/user/telegram_id" },
    } do
      local r = h:request("POST", "/api/v1/dialogs/bad/messages", case[1])
      assert.equal(case[2], r.status, name)
      assert.equal(case[3], r.body.code, name)
      assert.equal("application/problem+json", r.headers["content-type"], name)
      assert.equal(r.status, r.body.status)
      assert.equal(32, #r.body.trace_id)
      if case[4] then assert.equal(case[4], r.body.errors[1].path, name) end
    end
    assert.same(before, { h:count "messages", h:count "inbox", h:count "dialogs", h:count "users" })
  end)

  it("is told at the limit, not before it", function()
    assert.equal(200, h:say("limit", ("ж"):rep(16384)).status)
    assert.equal(200, h:say(("d"):rep(64), "x").status)
    for _, id in ipairs { ("d"):rep(65), "a%20b", "a*b", "%D0%B6" } do
      local r = h:say(id, "x")
      assert.equal(400, r.status)
      assert.equal("invalid_dialog_id", r.body.code)
    end
  end)

  it("knows its paths, methods and media types", function()
    assert.equal(404, h:request("GET", "/api/v1/nothing").status)
    assert.equal(404, h:request("GET", "/").status)
    local r = h:request("DELETE", "/api/v1/dialogs/x")
    assert.equal(405, r.status)
    assert.equal("GET", r.headers.allow)
    assert.equal(415, h:request("POST", "/api/v1/users", "x=1", { type = "text/plain" }).status)
  end)

  it("without a good token is 401 with the same words, without the scope 403", function()
    local expired = h:make_token({ "dialogs:read" }, "bot", time.now_ms() - 1)
    local revoked, id = h:make_token { "dialogs:read" }
    assert(h.core.db:commit { require("parley.store.tokens").revoke(id) })
    local stranger = require("parley.auth.token").generate "bot"
    local mistyped = h.token:sub(1, -2) .. (h.token:sub(-1) == "0" and "1" or "0")
    local bodies = {}
    for _, token in ipairs { false, "junk", ("x"):rep(100), expired, revoked, stranger, mistyped } do
      local r = h:request("GET", "/api/v1/dialogs/x", nil, { token = token })
      assert.equal(401, r.status)
      assert.matches("Bearer", r.headers["www-authenticate"])
      r.body.trace_id = nil
      bodies[json.encode(r.body, { sorted = true })] = true
    end
    assert.is_truthy(next(bodies))
    assert.is_nil(next(bodies, (next(bodies))))
    local reader = h:make_token { "dialogs:read" }
    local r = h:request("POST", "/api/v1/dialogs/x/messages", good, { token = reader })
    assert.equal(403, r.status)
    assert.matches("dialogs:write", r.body.detail)
    local plugin = h:make_token({ "dialogs:read" }, "plg")
    assert.equal(403, h:request("GET", "/api/v1/dialogs/x", nil, { token = plugin }).status)
    r = h:request("GET", "/api/v1/dialogs/x", nil, { token = false, headers = { Authorization = "Bearer " .. reader } })
    assert.equal(404, r.status)
  end)
end)
