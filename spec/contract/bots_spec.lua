-- What an operator does with bots over HTTP.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local PATH, AUDIT = "/api/v1/admin/bots", "/api/v1/admin/audit?source=token:"

describe("bots over HTTP", function()
  local s, h, admin, made
  setup(function()
    s = assert(sim.start { limits = false })
    h = host.start { config = ("return { telegram = { api = %q } }"):format(s:url()) }
    admin = h:client("adm", { "admin" })
    made = 0
  end)
  teardown(function()
    h:stop()
    s:close()
  end)

  local function add(more)
    made = made + 1
    local bot = s.world:add_bot { username = ("bot_%d"):format(made) }
    local body = { name = "bot" .. made, token = bot.token }
    for key, value in pairs(more or {}) do body[key] = value end
    local r = admin("POST", PATH, body)
    assert.equal(201, r.status, r.text)
    assert.is_nil(r.text:find(bot.token, 1, true))
    return body.name, bot, r
  end

  it("are added, and work at once", function()
    local name, bot, r = add { config = { locale = "uk" }, plugins = json.array { "echo" } }
    assert.equal("bot_1", r.body.username)
    assert.same({ locale = "uk" }, r.body.config)
    assert.same({ "echo" }, { unpack(r.body.plugins) })
    eventually("it polls", function() return bot.poller end)
    local shown = admin("GET", PATH .. "/" .. name)
    assert.equal(200, shown.status)
    assert.equal(bot.user.id, shown.body.telegram_id)
    assert.matches("^%x+/0$", shown.body.worker)
    assert.is_nil(shown.text:find("sim-", 1, true))
  end)

  it("keep their tokens sealed in the database", function()
    local name, bot = add()
    local row = bots.get(h.core.db, name)
    for _, value in pairs(row) do assert.is_nil(tostring(value):find("sim-", 1, true)) end
    assert.equal(bot.token, h.core.telegram.orders.vault:open(row.token, "bot:" .. name))
  end)

  it("are refused with a token that Telegram does not know, or that is none", function()
    for _, token in ipairs { "7999999:nobody", "hunter2", "123:with space" } do
      local r = admin("POST", PATH, { name = "wrong", token = token })
      assert.same({ 400, "bot_token_refused" }, { r.status, r.body.code })
      assert.is_nil(r.text:find(token, 1, true))
    end
    assert.equal(404, admin("GET", PATH .. "/wrong").status)
  end)

  it("are refused while Telegram cannot be asked, unless nobody wants to ask it", function()
    local bot = s.world:add_bot { username = "later_bot" }
    s:act("faults", { kind = "status", status = 502, method = "getMe", bot = "later_bot" })
    local r = admin("POST", PATH, { name = "later", token = bot.token, state = "paused" })
    assert.same({ 503, "unavailable" }, { r.status, r.body.code })
    r = admin("POST", PATH, { name = "later", token = bot.token, state = "paused", verify = false })
    assert.equal(201, r.status, r.text)
    assert.is_nil(r.body.username)
  end)

  it("stand once, by their names and by what they are", function()
    local name, bot = add()
    local other = s.world:add_bot { username = "other_bot" }
    for _, body in ipairs { { name = name, token = other.token }, { name = "again", token = bot.token } } do
      local r = admin("POST", PATH, body)
      assert.same({ 409, "conflict" }, { r.status, r.body.code })
    end
  end)

  it("are changed, paused and resumed", function()
    local name, bot = add()
    eventually("it polls", function() return bot.poller end)
    local r = admin("PATCH", PATH .. "/" .. name, { plugins = json.array { "faq" }, config = { locale = "ru" } })
    assert.equal(200, r.status, r.text)
    assert.same({ "faq" }, { unpack(r.body.plugins) })
    eventually("it is known", function() return h.core.telegram.fleet:get(name).config.locale == "ru" end)
    r = admin("PATCH", PATH .. "/" .. name, { plugins = json.null })
    assert.is_nil(r.body.plugins)
    assert.equal("ru", r.body.config.locale)
    assert.equal("paused", admin("POST", PATH .. "/" .. name .. "/pause", { reason = "at night" }).body.state)
    eventually("it rests", function() return not h.core.telegram.shards.runners[name] end)
    assert.is_nil(admin("GET", PATH .. "/" .. name).body.worker)
    assert.equal("active", admin("POST", PATH .. "/" .. name .. "/resume").body.state)
    eventually("it goes on", function() return h.core.telegram.shards.runners[name] end)
  end)

  it("get another token, of the same bot only", function()
    local name, bot = add()
    local other = s.world:add_bot { username = "stranger_bot" }
    local r = admin("PATCH", PATH .. "/" .. name, { token = other.token })
    assert.same({ 400, "bot_token_refused" }, { r.status, r.body.code })
    local before = bot.token
    bot.token = bot.user.id .. ":renewed"
    s.world.by_token[before], s.world.by_token[bot.token] = nil, bot
    r = admin("PATCH", PATH .. "/" .. name, { token = bot.token })
    assert.equal(200, r.status, r.text)
    eventually("it is known", function() return h.core.telegram.fleet:get(name).token == bot.token end)
    local polls = bot.poller or 0
    eventually("it polls with it", function() return (bot.poller or 0) > polls end)
  end)

  it("are removed", function()
    local name = add()
    assert.same({ name = name, removed = true }, admin("DELETE", PATH .. "/" .. name).body)
    assert.same({ 404, "bot_not_found" }, {
      admin("GET", PATH .. "/" .. name).status, admin("DELETE", PATH .. "/" .. name).body.code,
    })
    eventually("it is gone", function() return not h.core.telegram.fleet:get(name) end)
  end)

  it("are not there under what is no name", function()
    for _, name in ipairs { "a%20b", "%27" } do
      for _, what in ipairs { "", "/doctor" } do
        local r = admin("GET", PATH .. "/" .. name .. what)
        assert.same({ 404, "bot_not_found" }, { r.status, r.body.code }, r.text)
      end
    end
  end)

  it("are listed page by page", function()
    for _ = 1, 3 do add { state = "paused" } end
    local seen, cursor, n = {}, "", 0
    repeat
      local r = admin("GET", PATH .. "?limit=2" .. cursor)
      assert.equal(200, r.status)
      assert.is_nil(r.text:find("sim-", 1, true))
      for _, bot in ipairs(r.body.bots) do
        assert.is_nil(seen[bot.name])
        seen[bot.name], n = true, n + 1
      end
      cursor = r.body.next_cursor and "&cursor=" .. r.body.next_cursor
    until not cursor
    assert.equal(h:count "bots", n)
  end)

  it("are in the audit, with what was changed and never a token", function()
    local secret, id = h:make_token({ "admin" }, "adm")
    local other = h:client("adm", secret)
    local bot = s.world:add_bot { username = "seen_bot" }
    assert.equal(201, other("POST", PATH, { name = "seen", token = bot.token }).status)
    other("POST", PATH .. "/seen/pause", { reason = "at night" })
    other("POST", PATH .. "/seen/resume")
    other("PATCH", PATH .. "/seen", { token = bot.token, config = { locale = "uk" } })
    other("DELETE", PATH .. "/seen")
    local r = admin("GET", AUDIT .. id)
    local actions = {}
    for i, entry in ipairs(r.body.entries) do
      actions[i] = entry.action
      assert.equal("seen", entry.details.bot)
    end
    assert.same({ "bot_removed", "bot_changed", "bot_resumed", "bot_paused", "bot_added" }, actions)
    assert.same({ "config", "token" }, { unpack(r.body.entries[2].details.changed) })
    assert.equal("at night", r.body.entries[4].details.reason)
    assert.is_nil(r.text:find("sim-", 1, true))
  end)

  it("are added once when the request is repeated, and nothing at rest has the token", function()
    local bot = s.world:add_bot { username = "once_bot" }
    local key = { ["Idempotency-Key"] = "once" }
    local first = admin("POST", PATH, { name = "once", token = bot.token }, key)
    local second = admin("POST", PATH, { name = "once", token = bot.token }, key)
    assert.same({ 201, 201 }, { first.status, second.status })
    assert.equal(first.text, second.text)
    assert.equal("true", second.headers["idempotency-replayed"])
  end)
end)
