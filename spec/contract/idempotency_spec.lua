local host = require "spec.support.host"
local sweep = require "parley.store.sweep"
local task = require "host.task"
local time = require "host.time"

describe("Idempotency-Key", function()
  local h
  setup(function()
    h = host.start { plugins = { counter = {
      main = "local p = parley.plugin() p.on.command('count', function(c) c.session.n = (c.session.n or 0) + 1 "
        .. "c:reply('n ' .. c.session.n) end) return p",
      manifest = { commands = { { name = "count" } } },
    } } }
  end)
  teardown(function() h:stop() end)

  local function post(path, body, key, o)
    o = o or {}
    o.headers = { ["Idempotency-Key"] = key }
    return h:request("POST", path, body, o)
  end
  local function message(text, id)
    return { user = { external_id = "alice" }, type = "text", text = text, message_id = id }
  end
  local function path(dialog) return "/api/v1/dialogs/" .. dialog .. "/messages" end

  for name, id in pairs { ["without a message_id"] = false, ["beside a message_id"] = "m-1" } do
    it("gives a message its first answer again, " .. name, function()
      local dialog = "d" .. #name
      local first = post(path(dialog), message("/count", id or nil), "k1")
      assert.equal("n 1", first.body.text)
      assert.is_nil(first.headers["idempotency-replayed"])
      local again = post(path(dialog), message("/count", id or nil), "k1")
      assert.equal(200, again.status)
      assert.equal("true", again.headers["idempotency-replayed"])
      assert.equal(first.text, again.text)
      local other = post(path(dialog), message("/count other", id or nil), "k1")
      assert.equal(409, other.status)
      assert.equal("idempotency_mismatch", other.body.code)
      assert.equal("n 2", post(path(dialog), message("/count", id and "m-2" or nil), "k2").body.text)
      -- A key belongs to its path and its token.
      assert.equal("n 1", post(path(dialog .. "x"), message("/count", id or nil), "k1").body.text)
    end)
  end

  it("belongs to its token", function()
    assert.equal("n 1", post(path "token", message "/count", "k").body.text)
    local other = h:make_token { "dialogs:write" }
    assert.equal("n 2", post(path "token", message "/count", "k", { token = other }).body.text)
  end)

  it("runs once what comes many times at once", function()
    local tasks, texts = {}, {}
    for i = 1, 20 do
      tasks[i] = task.spawn(function() return post(path "flood", message "/count", "same").body.text end)
    end
    for i = 1, 20 do
      local _, text = tasks[i]:join(60)
      texts[text] = (texts[text] or 0) + 1
    end
    assert.same({ ["n 1"] = 20 }, texts)
  end)

  it("holds over a restart", function()
    local own = host.start()
    local function say(x)
      return x:request("POST", path "r", message "/echo once", { headers = { ["Idempotency-Key"] = "r" } })
    end
    local first = say(own)
    own:stop()
    local again = host.start { home = own.home }
    local r = again:request("POST", path "r", message "/echo once", {
      headers = { ["Idempotency-Key"] = "r" }, token = own.token,
    })
    assert.equal(first.text, r.text)
    assert.equal("true", r.headers["idempotency-replayed"])
    again:stop()
  end)

  it("resets once", function()
    h:say("reset", "/echo x")
    local first = post("/api/v1/dialogs/reset/reset", "{}", "r1")
    assert.equal(1, first.body.reset_version)
    local again = post("/api/v1/dialogs/reset/reset", "{}", "r1")
    assert.equal("true", again.headers["idempotency-replayed"])
    assert.equal(1, again.body.reset_version)
    assert.equal(first.body.message_id, again.body.message_id)
    assert.equal(1, h:request("GET", "/api/v1/dialogs/reset").body.dialog.reset_version)
    assert.equal(2, post("/api/v1/dialogs/reset/reset", "{}", "r2").body.reset_version)
    assert.equal(409, post("/api/v1/dialogs/reset/reset", { reason = "x" }, "r2").status)
  end)

  it("creates a user once, and answers 201 again", function()
    local first = post("/api/v1/users", { external_id = "once" }, "u1")
    assert.equal(201, first.status)
    local again = post("/api/v1/users", { external_id = "once" }, "u1")
    assert.equal(201, again.status)
    assert.equal(first.text, again.text)
    assert.equal(409, post("/api/v1/users", { external_id = "twice" }, "u1").status)
  end)

  it("keeps the answer about a user in the transaction of the user, or neither", function()
    local own = host.start()
    local real = own.core.db
    own.core.db = setmetatable({
      first = function(_, ...) return real:first(...) end,
      commit = function(_, list)
        list[#list + 1] = { "UPDATE users SET name = 'x' WHERE id = 'nobody'", expect = 1 }
        return real:commit(list)
      end,
    }, { __index = function(_, name) return function(_, ...) return real[name](real, ...) end end })
    local function send()
      return own:request("POST", "/api/v1/users", { external_id = "eve" }, { headers = { ["Idempotency-Key"] = "k" } })
    end
    assert.equal(409, send().status)
    assert.same({ 0, 0 }, { own:count "users", own:count "idempotency" })
    own.core.db = real
    assert.equal(201, send().status)
    assert.same({ 1, 1 }, { own:count "users", own:count "idempotency" })
    own:stop()
  end)

  it("gives one answer to a request that comes to two workers at once", function()
    local a = host.start()
    local b = host.start { home = a.home }
    local function send(worker, body, key)
      return worker:request("POST", "/api/v1/users", body, { headers = { ["Idempotency-Key"] = key }, token = a.token })
    end
    local tasks, texts = {}, {}
    for i = 1, 16 do
      tasks[i] = task.spawn(send, i % 2 == 0 and a or b, { external_id = "zoe", name = "Zoe" }, "same")
    end
    for i = 1, 16 do
      local _, r = tasks[i]:join(60)
      assert.equal(201, r.status, r.text)
      texts[r.text] = true
    end
    local text = next(texts)
    assert.is_nil(next(texts, text))
    -- And with keys of their own no change is lost.
    for i = 1, 16 do
      local change = i % 4 < 2 and { name = "n" .. i } or { locale = "uk" }
      change.external_id = "yan"
      tasks[i] = task.spawn(send, i % 2 == 0 and a or b, change, "k" .. i)
    end
    local created = 0
    for i = 1, 16 do
      local _, r = tasks[i]:join(60)
      assert.is_true(r.status == 200 or r.status == 201, r.text)
      if r.body.created then created = created + 1 end
    end
    assert.equal(1, created)
    local row = a.core.db:first "SELECT name, locale FROM users WHERE external_id = 'yan'"
    assert.same({ true, "uk" }, { row.name ~= nil, row.locale })
    a:stop()
    b:stop()
  end)

  it("does not keep what was refused", function()
    assert.equal(400, post(path "bad", "{}", "b").status)
    assert.equal("n 1", post(path "bad", message "/count", "b").body.text)
    assert.equal(404, post("/api/v1/dialogs/nobody/reset", "{}", "b").status)
    h:say("nobody", "/echo x")
    assert.equal(200, post("/api/v1/dialogs/nobody/reset", "{}", "b").status)
  end)

  it("is checked itself", function()
    for _, key in ipairs { ("k"):rep(129), "a b", "a\tb", "\195\169" } do
      local r = post(path "key", message "/count", key)
      assert.equal(400, r.status)
      assert.equal("validation_failed", r.body.code)
      assert.matches("Idempotency%-Key", r.body.detail)
    end
    assert.equal(200, post(path "key", message "/count", ("k"):rep(128)).status)
  end)

  it("is forgotten after a day, and so are messages, rates and what has expired", function()
    local own = host.start {
      redis = false, config = "return { rate_limits = { bot = { requests = 9, seconds = 86400 } } }",
    }
    local function say(id)
      return own:request("POST", path "s", message("/echo x", id), { headers = { ["Idempotency-Key"] = "s" } })
    end
    say "m"
    assert.equal(0, sweep.once(own.core.db))
    time.advance(23 * 3600)
    assert.equal(0, sweep.once(own.core.db))
    time.advance(2 * 3600)
    assert.equal(3, sweep.once(own.core.db))
    assert.is_nil(say("m").headers["idempotency-replayed"])
    own:stop()
  end)
end)
