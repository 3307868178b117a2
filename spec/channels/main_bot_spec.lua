-- The bot of the settings: TELEGRAM_BOT_TOKEN adds it as `main`, and from then on it is a bot like all others.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local sim = require "parley.sim.telegram"

describe("the bot of the settings", function()
  local s, h, bot, admin
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    h = host.start { config = ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url()) }
    admin = h:client("adm", { "admin" })
    eventually("it polls", function() return bot.poller end)
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function command(...)
    local env = { PARLEY_DATABASE_URL = h.core.config.database_url, PARLEY_SECRET_KEY = h.core.master }
    return process.run({ process.EXE, "bot", ... }, { env = env })
  end
  local function row() return bots.get(h.core.db, "main") end
  local function start_with(token)
    h:stop()
    h = host.start { home = h.home, config = ("return { telegram = { token = %q, api = %q } }"):format(token, s:url()) }
    admin = h:client("adm", { "admin" })
  end
  local function findings() return json.encode(admin("GET", "/api/v1/admin/bots/main/doctor").body) end

  it("is known to commands that have not its token", function()
    eventually("it is called as Telegram says", function() return row().username end)
    assert.matches("main +@shop_bot +polling +active", command("list", "--home", h.home).out)
    assert.matches("username +@shop_bot", command("show", "main", "--home", h.home).out)
    assert.matches("token +it is that of @shop_bot", command("doctor", "main", "--home", h.home).out)
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'bot_added'").n)
    assert.is_nil(row().token:find(bot.token, 1, true))
  end)

  it("may have a webhook, a pause and settings, which stay when the host starts again", function()
    s.any_webhook = true
    local out = command("set-webhook", "main", "--home", h.home, "--url", "http://127.0.0.1:" .. h.port)
    assert.equal(0, out.code, out.err)
    assert.equal(("http://127.0.0.1:%d/tg/webhook/main"):format(h.port), bot.webhook.url)
    local ann = s.world:add_user { first_name = "Ann" }
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/echo by webhook" })
    eventually("it is answered", function()
      local messages = s:view("messages", { bot = "shop_bot", chat = ann.id }).messages
      return messages[2] and messages[2].text == "by webhook"
    end)
    assert.equal(200, admin("PATCH", "/api/v1/admin/bots/main", { config = { locale = "uk" } }).status)
    assert.equal(0, command("pause", "main", "--home", h.home).code)
    start_with(bot.token)
    eventually("the bots", function() return h.core.telegram.fleet.synced end)
    local main = h.core.telegram.fleet:get "main"
    assert.same({ "webhook", "paused", "uk" }, { main.transport, main.state, main.config.locale })
    assert.equal(0, command("resume", "main", "--home", h.home).code)
    assert.equal(0, command("delete-webhook", "main", "--home", h.home).code)
    local before = bot.poller
    eventually("it polls", function() return bot.poller > before end)
  end)

  it("goes on when its token is in the settings no more, until it is removed", function()
    h:stop()
    h = host.start { home = h.home, config = ("return { telegram = { api = %q } }"):format(s:url()) }
    admin = h:client("adm", { "admin" })
    local before = bot.poller
    eventually("it polls", function() return bot.poller > before end)
    assert.equal(200, admin("DELETE", "/api/v1/admin/bots/main").status)
    eventually("it is gone", function() return not h.core.telegram.fleet:get "main" end)
    start_with(bot.token)
    eventually("it is there", function() return h.core.telegram.fleet:get "main" end)
  end)

  it("has the token of the settings, whatever was stored; that of another bot takes its place", function()
    local old, secret = row().token, bot.token:match "^%d+:" .. "another"
    s.world.by_token[bot.token], s.world.by_token[secret] = nil, bot
    start_with(secret)
    local before = bot.poller
    eventually("it polls", function() return bot.poller > before end)
    assert.not_equal(old, row().token)
    assert.equal("shop_bot", row().username)
    assert.equal(200, admin("PATCH", "/api/v1/admin/bots/main", { config = { locale = "uk" } }).status)
    local other = s.world:add_bot { username = "bank_bot" }
    start_with(other.token)
    eventually("it polls", function() return other.poller end)
    eventually("it is called as Telegram says", function() return row().username == "bank_bot" end)
    assert.equal("{}", row().config)
  end)

  it("does not poll beside itself when it was added under another name", function()
    assert.equal(200, admin("DELETE", "/api/v1/admin/bots/main").status)
    local given = { name = "shop", token = bot.token, plugins = json.array { "echo" } }
    assert.equal(201, admin("POST", "/api/v1/admin/bots", given).status)
    start_with(bot.token)
    eventually("the bots", function() return h.core.telegram.fleet.synced end)
    assert.is_nil(h.core.telegram.fleet:get "main")
    assert.same({ "shop" }, { h.core.telegram.fleet:get("shop").name, row() })
  end)

  it("says to everybody that another program gets its updates, until this host begins anew", function()
    bot.poller = bot.poller + 1 -- what another poller does
    bot.taken:broadcast()
    eventually("it is noted", function() return row().problem end)
    assert.matches("stop the other program.-TELEGRAM_BOT_TOKEN", findings())
    assert.matches("main +@shop_bot +polling +active +conflict", command("list", "--home", h.home).out)
    start_with(bot.token)
    eventually("it is well", function() return not row().problem end)
  end)

  it("is freed of a webhook that another program has set", function()
    for _, free in ipairs {
      function() return admin("DELETE", "/api/v1/admin/bots/main/webhook").status == 200 end,
      function() return command("delete-webhook", "main", "--home", h.home).code == 0 end,
    } do
      bot.webhook = { url = "https://other.example/hook" }
      local found = findings()
      assert.matches("a webhook is set %(https://other.example/hook%)", found)
      assert.matches("parley bot delete%-webhook main", found)
      assert.is_true(free())
      assert.is_nil(bot.webhook)
    end
  end)

  it("greets who comes, and shows what it can do, in the language of each", function()
    for language, hello in pairs { en = "^Hello!", ru = "^Здравствуйте!", uk = "^Вітаю!" } do
      local user = s.world:add_user { first_name = "Ann", language_code = language }
      s:act("send", { bot = "shop_bot", user = user.id, text = "/start" })
      eventually("she is greeted", function()
        local messages = s:view("messages", { bot = "shop_bot", chat = user.id }).messages
        return messages[2] and messages[2].text:find(hello)
      end)
      eventually("the commands are published", function() return bot.commands["default||" .. language] end)
      for _, c in ipairs(bot.commands["default||" .. language]) do
        assert.equal(language == "en", not c.description:find "[\208\209]", language .. ": " .. c.description)
      end
    end
  end)
end)
