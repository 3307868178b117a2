-- The bot of the settings: what is wrong with it is known to whoever asks, and what cannot be done with it is told
-- with what to do instead.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
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

  local function show() return admin("GET", "/api/v1/admin/bots/main").body end
  local function command(...)
    local env = { PARLEY_DATABASE_URL = h.core.config.database_url, PARLEY_SECRET_KEY = h.core.master }
    return process.run({ process.EXE, "bot", ... }, { env = env })
  end
  local function is_found(findings, check, said)
    for _, f in ipairs(findings) do
      if f.check == check and f.kind == "problem" and f.message:find(said) then return f.advice end
    end
  end

  it("says to everybody that another program gets its updates, until this host begins anew", function()
    bot.poller = bot.poller + 1 -- what another poller does
    bot.taken:broadcast()
    eventually("it is noted", function() return show().problem end)
    assert.same({ "conflict", "shop_bot" }, { show().problem.code, show().username })
    local findings = admin("GET", "/api/v1/admin/bots/main/doctor").body.findings
    assert.matches("stop the other program", is_found(findings, "updates", "terminated by other"))
    local out = command("list", "--home", h.home)
    assert.matches("main +@shop_bot +polling +active +conflict", out.out)
    out = command("doctor", "main", "--home", h.home)
    assert.equal(1, out.code)
    assert.matches("PROBLEM  updates .-terminated by other.-TELEGRAM_BOT_TOKEN", out.out)
    h:stop()
    h = host.start { home = h.home }
    admin = h:client("adm", { "admin" })
    eventually("it is well", function() return not show().problem end)
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

  it("says what to do for a webhook, and for what else it cannot have", function()
    for _, given in ipairs { { "set-webhook", "--url", "https://me.example" }, { "pause" }, { "remove" } } do
      local out = command(given[1], "main", "--home", h.home, unpack(given, 2))
      assert.equal(1, out.code)
      assert.matches("take the token out of the settings, and run parley bot add NAME", out.err)
    end
    local r = admin("POST", "/api/v1/admin/bots/main/webhook", { url = "https://me.example" })
    assert.same({ 409, "conflict" }, { r.status, r.body.code })
    assert.matches("parley bot add NAME", r.body.detail)
    assert.is_nil(bot.webhook)
  end)

  it("is freed of a webhook that another program has set", function()
    for _, free in ipairs {
      function() return admin("DELETE", "/api/v1/admin/bots/main/webhook").status == 200 end,
      function() return command("delete-webhook", "main", "--home", h.home).code == 0 end,
    } do
      bot.webhook = { url = "https://other.example/hook" }
      local findings = admin("GET", "/api/v1/admin/bots/main/doctor").body.findings
      assert.equal("parley bot delete-webhook main polls", is_found(findings, "webhook", "other%.example"))
      assert.is_true(free())
      assert.is_nil(bot.webhook)
    end
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'bot_changed'").n)
  end)
end)
