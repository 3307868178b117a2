-- What clients see of rate limits: two workers on one database, each with its own socket.

local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local redis_server = require "spec.support.redis"

local WINDOW = 3600 -- no window ends while a spec runs

local function settings(limits)
  return ("return { rate_limits = { %s } }"):format(limits)
end

local function rate(kind, requests)
  return ("%s = { requests = %d, seconds = %d }"):format(kind, requests, WINDOW)
end

local echo = { main = [[
  local p = parley.plugin()
  p.on.command("echo", function(c) c:reply("echo") end)
  return p
]] }

describe("rate limits", function()
  local hosts
  local function start(limits, opts)
    opts = opts or {}
    opts.config = settings(limits)
    hosts[#hosts + 1] = host.start(opts)
    return hosts[#hosts]
  end
  before_each(function() hosts = {} end)
  after_each(function() for _, h in ipairs(hosts) do h:stop() end end)

  local function statuses(n, f)
    local out = {}
    for i = 1, n do
      local status = f(i).status
      out[status] = (out[status] or 0) + 1
    end
    return out
  end

  it("say nothing where there are none", function()
    local h = start ""
    assert.is_nil(h:say("d", "hello").headers["ratelimit-limit"])
  end)

  it("count a bot over all its requests, and tell it what is left", function()
    local h = start(rate("bot", 3))
    local seen = {}
    for i, send in ipairs {
      function() return h:say("d", "hello") end,
      function() return h:request("GET", "/api/v1/dialogs/d") end,
      function() return h:request("POST", "/api/v1/users", { external_id = "bob" }) end,
      function() return h:say("d", "again") end,
    } do
      local r = send()
      seen[i] = { r.status, r.headers["ratelimit-limit"], r.headers["ratelimit-remaining"] }
      assert.equal("3;w=3600", r.headers["ratelimit-policy"])
      assert.equal(WINDOW, tonumber(r.headers["ratelimit-reset"]))
    end
    assert.same({ { 200, "3", "2" }, { 200, "3", "1" }, { 201, "3", "0" }, { 429, "3", "0" } }, seen)
    local r = h:say("d", "again")
    assert.equal("rate_limited", r.body.code)
    assert.equal(WINDOW, tonumber(r.headers["retry-after"]))
    assert.equal("this bot may make 3 requests in 3600 s: try again in 3600 s", r.body.detail)
    assert.equal(2, h:count "messages") -- one, and its reply
    -- Another bot has its own.
    h.token = h:make_token { "dialogs:write" }
    assert.equal(200, h:say("d", "again").status)
  end)

  it("do not count who is not let in", function()
    local h = start(rate("bot", 2))
    assert.same({ [401] = 5 }, statuses(5, function()
      return h:request("GET", "/api/v1/dialogs/d", nil, { token = h.token:sub(1, -2) })
    end))
    local r = h:say("d", "hello")
    assert.equal("1", r.headers["ratelimit-remaining"])
  end)

  it("count a user under every name, and before the turn is stored", function()
    local h = start(rate("user", 4))
    local r = h:request("POST", "/api/v1/users", { external_id = "alice" })
    local id = r.body.user.id
    for i = 1, 2 do assert.equal(200, h:say("d" .. i, "hello").status) end
    for i = 3, 4 do assert.equal(200, h:say("d" .. i, "hello", { user = { id = id } }).status) end
    local rows = h:count "messages"
    r = h:say("d5", "hello")
    assert.same({ 429, "rate_limited" }, { r.status, r.body.code })
    assert.matches("^this user may make 4 requests", r.body.detail)
    assert.same({ rows, 4 }, { h:count "messages", h:count "dialogs" })
    assert.equal(200, h:say("d5", "hello", { user = { external_id = "bob" } }).status)
  end)

  it("tell of the limit that will be met first", function()
    local h = start(rate("bot", 100) .. ", " .. rate("user", 2))
    assert.equal("2", h:say("d", "hello").headers["ratelimit-limit"])
    assert.equal("100", h:request("GET", "/api/v1/dialogs/d").headers["ratelimit-limit"])
  end)

  it("are one for all workers", function()
    local a = start(rate("user", 30))
    local b = start(rate("user", 30), { home = a.home })
    local seen = statuses(50, function(i) return (i % 2 == 0 and a or b):say("d" .. i, "hello") end)
    assert.same({ [200] = 30, [429] = 20 }, seen)
    assert.equal(60, a:count "messages")
  end)

  it("are one for all workers in Redis, and the database counts at once when it goes away", function()
    local redis = redis_server.start()
    local limit = rate("user", 10)
    local function begin(opts)
      opts.config = ("return { redis_url = '%s', rate_limits = { %s } }"):format(redis.url, limit)
      hosts[#hosts + 1] = host.start(opts)
      return hosts[#hosts]
    end
    local a = begin {}
    local b = begin { home = a.home }
    local function ask(i) return (i % 2 == 0 and a or b):say("d" .. i, "hello") end
    assert.same({ [200] = 10, [429] = 6 }, statuses(16, ask))
    assert.equal(0, a:count "rates")
    redis:kill()
    -- A refusal is remembered for a moment; not longer than it takes to set the limits anew.
    for _, h in ipairs(hosts) do h.core.limits:configure(h.core.limits.policies) end
    assert.same({ [200] = 10, [429] = 6 }, statuses(16, ask))
    assert.equal(1, a:count "rates")
    redis:stop()
  end)

  it("count repetitions, and still give them their first answer", function()
    for _, kind in ipairs { "bot", "user" } do
      local h = start(rate(kind, 2))
      local key = { headers = { ["Idempotency-Key"] = "k" } }
      local message = { user = { external_id = "alice" }, type = "text", text = "hello" }
      local path = "/api/v1/dialogs/d/messages"
      local first = h:say("d", "hello", { message_id = "m" })
      local keyed = h:request("POST", path, message, key)
      assert.same({ 200, 200 }, { first.status, keyed.status })
      for _ = 1, 2 do
        local again = h:say("d", "hello", { message_id = "m" })
        assert.same({ 200, "true", first.text }, { again.status, again.headers["idempotency-replayed"], again.text })
        assert.equal("0", again.headers["ratelimit-remaining"])
        again = h:request("POST", path, message, key)
        assert.same({ 200, "true", keyed.text }, { again.status, again.headers["idempotency-replayed"], again.text })
      end
      -- What was never answered is refused, and leaves nothing behind, not even a user.
      local users = h:count "users"
      for _, r in ipairs {
        h:say("d", "hello", { message_id = "other" }), h:say("d", "hello"),
        h:request("POST", path, message, { headers = { ["Idempotency-Key"] = "other" } }),
      } do
        assert.same({ 429, "rate_limited" }, { r.status, r.body.code })
      end
      if kind == "bot" then
        local r = h:say("d", "hello", { message_id = "x", user = { external_id = "new" } })
        assert.equal(429, r.status)
        r = h:request("POST", "/api/v1/users", { external_id = "new" }, { headers = { ["Idempotency-Key"] = "u" } })
        assert.equal(429, r.status)
      end
      assert.same({ users, 4 }, { h:count "users", h:count "messages" })
      -- The same id for something else is told so.
      assert.equal(409, h:say("d", "hello, not", { message_id = "m" }).status)
    end
  end)

  it("leave a plugin alone that is asked too often, and do what its manifest says then", function()
    for on_error, expected in pairs {
      fallback = { "fallback", "text_reply" }, reply = { "failed" }, stop = { "failed" },
    } do
      local h = start(rate("plugin", 2), {
        plugins = { echo = { manifest = { on_error = on_error }, main = echo.main } },
      })
      local function ask() return h:say("d", "/echo", { type = "command" }).body end
      assert.same({ "echo", "echo" }, { ask().text, ask().text })
      local r = ask()
      assert.same(expected, { r.status, r.plugin and r.plugin.name })
      assert.not_equal("echo", r.text)
      local failed = h.core.db:query "SELECT error_code FROM plugin_calls WHERE plugin_id = 'echo' AND status = 'failed'"
      assert.same({ { error_code = "rate_limited" } }, failed)
      assert.equal("active", h.core:status().plugins[1].state) -- its circuit stays closed
    end
  end)

  it("count the requests with a plugin's token apart from its invocations", function()
    local h = start(rate("plugin", 2), { plugins = { echo = echo } })
    local header = { headers = { ["X-Plugin-Token"] = h:make_token({}, "plg") }, token = false }
    local function bring()
      return h:request("POST", "/api/v1/turns/nobody/actions", { actions = json.array {} }, header)
    end
    local first = bring()
    assert.same({ 403, "1" }, { first.status, first.headers["ratelimit-remaining"] })
    assert.same({ [403] = 1, [429] = 2 }, statuses(3, bring))
    assert.equal("echo", h:say("d", "/echo", { type = "command" }).body.text)
    -- An operator's token is not counted.
    header.headers["X-Plugin-Token"] = h:make_token({ "admin" }, "adm")
    assert.is_nil(bring().headers["ratelimit-limit"])
  end)

  it("stand in the contract of what is counted", function()
    local h = start ""
    local paths = h:request("GET", "/api/v1/openapi.json", nil, { token = false }).body.paths
    local responses = paths["/api/v1/users"].post.responses
    assert.matches("rate_limited", responses["429"].description)
    for _, status in ipairs { "200", "429" } do
      assert.is_table(responses[status].headers["RateLimit-Remaining"])
    end
    assert.is_nil(paths["/api/v1/openapi.json"].get.responses["429"])
  end)

  it("never leave the fallback out", function()
    local h = start(rate("plugin", 1))
    assert.same({ [200] = 3 }, statuses(3, function() return h:say("d", "hello") end))
    assert.equal(0, h:count "rates")
  end)

  it("change with a reload", function()
    local h = start(rate("bot", 1))
    assert.same({ [200] = 1, [429] = 1 }, statuses(2, function() return h:say("d", "hello") end))
    assert(fs.write(h.home .. "/conf/parley.lua", settings(rate("bot", 3))))
    assert(h.core:reload())
    assert.same({ [200] = 2, [429] = 1 }, statuses(3, function() return h:say("d", "hello") end))
  end)
end)
