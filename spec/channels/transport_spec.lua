-- How a bot's updates come: from polling to a webhook and back, by command and over HTTP, over TLS of the host itself.

local bots = require "parley.store.bots"
local certificate = require "spec.support.certificate"
local counting = require "spec.support.counting"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local meters = require "parley.ops.meters"
local programs = require "spec.support.process"
local sim = require "parley.sim.telegram"
local transport = require "parley.channels.telegram.transport"

describe("the transport of a bot", function()
  local s, h, bot, ann, admin
  before_each(function()
    s = assert(sim.start { limits = false, webhook_pause_max = 0.2 })
    ann = s.world:add_user {}
    bot = s.world:add_bot { username = "shop_bot" }
    h = host.start {
      plugins = { talk = { main = counting.MAIN, manifest = { commands = json.array { { name = "count" } } } } },
      config = ([[return { telegram = { api = %q, limits = { paced = false } }, https_listen = "127.0.0.1:0",
        tls = { certificate = "own.pem", key = "own.key" } }]]):format(s:url()),
    }
    admin = h:client("adm", { "admin" })
    assert.equal(201, admin("POST", "/api/v1/admin/bots", { name = "shop", token = bot.token }).status)
  end)
  after_each(function()
    eventually("the last turn", function() return not h.core.lanes:busy() end)
    h:stop()
    s:close()
  end)

  local function url() return ("http://127.0.0.1:%d"):format(h.port) end
  local function write(text) assert(s:act("send", { bot = "shop_bot", user = ann.id, text = text })) end
  local function answers()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end
  local function info() return s:call(bot, "getWebhookInfo", {}, {}).result end
  local function numbers(n)
    local out = {}
    for i = 1, n do out[i] = tostring(i) end
    return out
  end
  local function told(n)
    eventually(n .. " answers", function() return #answers() >= n end)
    assert.equal(table.concat(numbers(n), " "), table.concat(answers(), " "))
  end

  -- `parley bot ...` in a process of its own, on the host's home.
  local function bot_command(...)
    local r = programs.parley({ "bot", ..., }, {
      env = { PARLEY_DATABASE_URL = h.core.config.database_url }, stderr = "stdout",
    })
    return r.code, r.out
  end

  it("is changed while people write, and each message is answered once and in order", function()
    local n = 0
    local function write_some(count)
      for _ = 1, count do
        n = n + 1
        write "/count"
      end
    end
    write_some(10)
    for _ = 1, 3 do
      local r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = url(), max_connections = 7 })
      assert.same({ 200, "webhook" }, { r.status, r.body.transport }, r.text)
      write_some(10)
      eventually("it polls no more", function()
        local runner = h.core.telegram.shards.runners.shop
        return runner and runner.state == "sending"
      end)
      assert.same({ url() .. "/tg/webhook/shop", 7, false },
        { info().url, info().max_connections, info().has_custom_certificate })
      write_some(10)
      r = admin("DELETE", "/api/v1/admin/bots/shop/webhook")
      assert.same({ 200, "polling" }, { r.status, r.body.transport }, r.text)
      write_some(10)
    end
    told(n)
    assert.equal("", info().url)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state <> 'done'").n)
    assert.is_nil(admin("GET", "/api/v1/admin/bots/shop").body.problem)
  end)

  it("is changed by the command line, too, and a running host follows", function()
    write "/count"
    told(1)
    local code, out = bot_command("set-webhook", "shop", "--url", url(), "--home", h.home)
    assert.same({ 0, "webhook set for shop (@shop_bot)\n" }, { code, out })
    write "/count"
    told(2)
    for _, kind in ipairs { "message", "callback_query", "message_reaction", "chat_member" } do
      assert.truthy(table.concat(info().allowed_updates, " "):find(kind, 1, true), kind)
    end
    code, out = bot_command("delete-webhook", "shop", "--home", h.home)
    assert.same({ 0, "webhook deleted of shop (@shop_bot)\n" }, { code, out })
    write "/count"
    told(3)
  end)

  it("may be this host's own TLS, with a certificate that Telegram is given", function()
    local pair = certificate.make(h.home, "own")
    local server = assert(h.core:listen_tls { host = "127.0.0.1", port = 0 })
    local base = ("https://127.0.0.1:%d"):format(server:port())
    local code, out = bot_command("set-webhook", "shop", "--url", base, "--certificate", pair.certificate, "--home", h.home)
    assert.equal(0, code, out)
    assert.is_true(info().has_custom_certificate)
    write "/count"
    write "/count"
    told(2)
    assert.is_true(server:stats().requests >= 2)
    -- Without it, Telegram trusts nobody whom no authority has signed.
    local r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = base })
    assert.equal(200, r.status)
    write "/count"
    eventually("an error", function() return info().last_error_message end)
    assert.equal(2, #answers())
    r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = base, certificate = fs.read(pair.certificate) })
    assert.equal(200, r.status)
    told(3)
  end)

  it("is told to Telegram before it is told to the host, whose poll is refused meanwhile: no conflict", function()
    local said = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    local function failures()
      return meters.registry:render():match 'parley_telegram_poll_failures_total{[^\n]*conflict[^\n]*} (%d+)'
    end
    local before = failures()
    local refused = { kind = "status", status = 409, description = said, method = "getUpdates" }
    s:act("faults", refused)
    write "/count" -- ends the poll that waits
    eventually("it is refused", function() return #s.faults.rules == 0 end)
    write "/count"
    told(2)
    assert.is_nil(bots.get(h.core.db, "shop").problem)
    assert.equal(before, failures())
  end)

  it("forgets what waits at Telegram when it is told to", function()
    assert.equal(200, admin("POST", "/api/v1/admin/bots/shop/pause").status)
    eventually("it is paused", function() return not h.core.telegram.shards.runners.shop end)
    write "/count"
    assert.is_true(info().pending_update_count > 0)
    assert.equal(200, admin("DELETE", "/api/v1/admin/bots/shop/webhook?drop_pending=true").status)
    assert.equal(0, info().pending_update_count)
    write "/count"
    assert.equal(200, admin("POST", "/api/v1/admin/bots/shop/webhook", { url = url(), drop_pending = true }).status)
    assert.equal(0, info().pending_update_count)
  end)

  it("stays as it is when Telegram refuses, and says why", function()
    s.any_webhook = false
    local r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = url() })
    assert.same({ 400, "bot_webhook_refused" }, { r.status, r.body.code })
    assert.matches("An HTTPS URL must be provided", r.body.detail)
    r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = "https://bot.example:1234" })
    assert.matches("only on ports 80, 88, 443 or 8443", r.body.detail)
    local code, out = bot_command("set-webhook", "shop", "--url", url(), "--home", h.home)
    assert.equal(1, code)
    assert.matches("An HTTPS URL must be provided", out)
    assert.equal("polling", admin("GET", "/api/v1/admin/bots/shop").body.transport)
    r = admin("POST", "/api/v1/admin/bots/nobody/webhook", { url = url() })
    assert.same({ 404, "bot_not_found" }, { r.status, r.body.code })
    assert(s:act("faults", { kind = "status", status = 502, method = "setWebhook" }))
    r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = "https://bot.example" })
    assert.same({ 503, "unavailable" }, { r.status, r.body.code })
    assert.equal("", info().url)
    write "/count"
    told(1)
  end)

  it("refuses a certificate that is none, or brings its key", function()
    local pair = certificate.make(h.home, "own")
    local code, out = bot_command("set-webhook", "shop", "--url", url(), "--certificate", pair.key, "--home", h.home)
    assert.equal(64, code)
    assert.matches("a certificate in PEM expected", out)
    local both = h.home .. "/both.pem"
    assert(fs.write(both, fs.read(pair.certificate) .. fs.read(pair.key)))
    code, out = bot_command("set-webhook", "shop", "--url", url(), "--certificate", both, "--home", h.home)
    assert.equal(64, code)
    assert.matches("there is a private key in it", out)
    local r = admin("POST", "/api/v1/admin/bots/shop/webhook", { url = url(), certificate = "nonsense" })
    assert.same({ 400, "bot_webhook_refused" }, { r.status, r.body.code })
  end)

  it("has an address below that of the host", function()
    for given, expected in pairs {
      ["https://bot.example"] = "https://bot.example/tg/webhook/shop",
      ["https://bot.example/"] = "https://bot.example/tg/webhook/shop",
      ["https://bot.example:8443/parley/"] = "https://bot.example:8443/parley/tg/webhook/shop",
      ["https://bot.example/tg/webhook/shop"] = "https://bot.example/tg/webhook/shop",
      ["https://[::1]:8443"] = "https://[::1]:8443/tg/webhook/shop",
    } do assert.equal(expected, transport.address(given, "shop")) end
    for _, given in ipairs { "bot.example", "ftp://x", "https://", "https://a b", "https://a?x=1", "https://a#b", "" } do
      local address, err = transport.address(given, "shop")
      assert.is_nil(address)
      assert.equal("bot_webhook_refused", err.code)
    end
  end)
end)
