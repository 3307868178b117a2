-- What an operator does over HTTP: tokens, the audit, reload.

local host = require "spec.support.host"
local process = require "spec.support.process"
local json = require "host.json"
local time = require "host.time"

local TOKENS, AUDIT = "/api/v1/admin/tokens", "/api/v1/admin/audit"

describe("tokens over HTTP", function()
  local h, admin
  setup(function()
    h = host.start()
    admin = h:client("adm", { "admin" })
  end)
  teardown(function() h:stop() end)

  local function status_with(token)
    return h:request("POST", "/api/v1/dialogs/d/messages",
      { user = { external_id = "alice" }, type = "text", text = "/echo hi" }, { token = token }).status
  end

  local function make(more)
    local body = { kind = "bot", scopes = { "dialogs:write" }, label = "the shop" }
    for k, v in pairs(more or {}) do body[k] = v end
    local r = admin("POST", TOKENS, body)
    assert.equal(201, r.status, r.text)
    return r.body
  end

  it("are made, shown once, and work", function()
    local made = make { expires_at = time.rfc3339(time.now_ms() + 60000) }
    assert.matches("^prl_bot_" .. made.id .. "_", made.token)
    assert.equal(200, status_with(made.token))
    local shown = admin("GET", TOKENS .. "/" .. made.id)
    assert.equal(200, shown.status)
    assert.equal("active", shown.body.state)
    assert.equal("the shop", shown.body.label)
    assert.same({ "dialogs:write" }, { unpack(shown.body.scopes) })
    assert.is_nil(shown.body.token)
    assert.is_nil(shown.body.hash)
  end)

  it("show when they were last used", function()
    local made = make()
    assert.is_nil(admin("GET", TOKENS .. "/" .. made.id).body.last_used_at)
    assert.equal(200, status_with(made.token))
    process.eventually("it is noted", function() return admin("GET", TOKENS .. "/" .. made.id).body.last_used_at end)
  end)

  it("are listed page by page, without their secrets", function()
    for _ = 1, 3 do make() end
    local seen, cursor, pages = {}, "", 0
    repeat
      local r = admin("GET", TOKENS .. "?limit=2&cursor=" .. cursor)
      assert.equal(200, r.status)
      assert.is_nil(r.text:find("prl_", 1, true))
      assert.is_nil(r.text:find("$2", 1, true)) -- how bcrypt begins
      assert.is_true(#r.body.tokens <= 2)
      for _, t in ipairs(r.body.tokens) do
        assert.is_nil(seen[t.id])
        seen[t.id], seen[#seen + 1] = true, t.id
      end
      cursor, pages = r.body.next_cursor, pages + 1
    until not cursor
    assert.equal(h:count "tokens", #seen)
    assert.is_true(pages > 1)
  end)

  it("are revoked at once, and revoked again without harm", function()
    local made = make()
    assert.equal(200, status_with(made.token))
    for _ = 1, 2 do
      local r = admin("DELETE", TOKENS .. "/" .. made.id)
      assert.equal(200, r.status)
      assert.equal("revoked", r.body.state)
    end
    assert.equal(401, status_with(made.token))
    local r = admin("POST", TOKENS .. "/" .. made.id .. "/rotate")
    assert.equal(409, r.status)
    assert.equal("token_revoked", r.body.code)
  end)

  it("that have ended get no other secret", function()
    local made = make { expires_at = time.rfc3339(time.now_ms() + 60000) }
    time.advance(61)
    local r = admin("POST", TOKENS .. "/" .. made.id .. "/rotate")
    assert.same({ 409, "token_expired" }, { r.status, r.body.code })
    assert.equal("expired", admin("GET", TOKENS .. "/" .. made.id).body.state)
  end)

  it("have two good secrets while one is changed", function()
    local first = make()
    local second = admin("POST", TOKENS .. "/" .. first.id .. "/rotate", { grace_seconds = 60 }).body
    assert.equal(first.id, second.id)
    assert.equal(200, status_with(first.token))
    assert.equal(200, status_with(second.token))
    -- The third takes the place of the second, and the first is gone.
    local third = admin("POST", TOKENS .. "/" .. first.id .. "/rotate", { grace_seconds = 0 }).body
    assert.equal(401, status_with(first.token))
    assert.equal(401, status_with(second.token))
    assert.equal(200, status_with(third.token))
  end)

  it("end their first secret when its time is over, also where it was just used", function()
    local first = make()
    local second = admin("POST", TOKENS .. "/" .. first.id .. "/rotate", { grace_seconds = 3600 }).body
    assert.equal(200, status_with(first.token))
    time.advance(3601)
    assert.equal(401, status_with(first.token))
    assert.equal(200, status_with(second.token))
  end)

  it("are made once for an Idempotency-Key, and the secret is not kept for the repetition", function()
    local body = { kind = "bot", scopes = { "dialogs:read" } }
    local first = admin("POST", TOKENS, body, { ["Idempotency-Key"] = "k1" })
    local before = h:count "tokens"
    local again = admin("POST", TOKENS, body, { ["Idempotency-Key"] = "k1" })
    assert.equal(201, again.status)
    assert.equal(first.body.id, again.body.id)
    assert.is_string(first.body.token)
    assert.is_nil(again.body.token)
    assert.equal(before, h:count "tokens")
    assert.is_nil(json.encode(h.core.db:query "SELECT * FROM idempotency"):find("prl_", 1, true))
  end)

  it("leave a trail", function()
    local made = make()
    admin("DELETE", TOKENS .. "/" .. made.id)
    local entries = admin("GET", AUDIT .. "?limit=2").body.entries
    assert.equal("token_revoked", entries[1].action)
    assert.equal("token_created", entries[2].action)
    assert.equal(made.id, entries[1].details.token_id)
    assert.matches("^token:%w+$", entries[1].source)
  end)
end)

describe("the audit over HTTP", function()
  local h, admin
  setup(function()
    h = host.start()
    admin = h:client("adm", { "admin" })
    for i = 1, 7 do h:say("d" .. i, "/echo hi") end
  end)
  teardown(function() h:stop() end)

  local function all(filter)
    local out, cursor = {}, ""
    repeat
      local r = admin("GET", ("%s?limit=3&cursor=%s&%s"):format(AUDIT, cursor, filter))
      assert.equal(200, r.status, r.text)
      for _, e in ipairs(r.body.entries) do out[#out + 1] = e end
      cursor = r.body.next_cursor
    until not cursor
    return out
  end

  it("is read newest first, page by page, each row once", function()
    local rows = all ""
    assert.equal(h:count "audit_logs", #rows)
    for i = 2, #rows do assert.is_true(rows[i].id < rows[i - 1].id) end
    assert.matches("^%d%d%d%d%-.*Z$", rows[1].created_at)
    assert.equal("table", type(rows[1].details))
  end)

  it("is filtered", function()
    assert.equal(7, #all "action=plugin_invocation_started")
    assert.equal(14, #all "source=echo")
    assert.equal(7, #all "source=echo&action=plugin_invocation_completed&severity=info")
    assert.equal(0, #all "severity=critical")
    local trace = h:say("d1", "/echo hi").body.trace_id
    assert.equal(2, #all("trace=" .. trace))
  end)

  it("is bounded in time", function()
    local rows = all ""
    local middle = rows[4].created_at
    local later, earlier = all("since=" .. middle), all("until=" .. middle)
    assert.equal(#rows, #later + #earlier)
    assert.is_true(#later >= 4)
    assert.equal(0, #all "since=2100-01-01T00:00:00Z")
    assert.equal(#rows, #all "until=2100-01-01T00:00:00Z")
  end)
end)
