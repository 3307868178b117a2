-- `parley bot doctor` against the simulated Telegram: each fault is found, and comes with what to do.

local bots = require "parley.store.bots"
local certificate = require "spec.support.certificate"
local certificates = require "parley.ops.certificate"
local doctor = require "parley.channels.telegram.doctor"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local sim = require "parley.sim.telegram"
local vault = require "parley.auth.vault"

describe("the doctor of bots", function()
  local s, h, bot, known
  before_each(function()
    s = assert(sim.start { limits = false })
    h = host.start { config = ("return { telegram = { api = %q } }"):format(s:url()) }
    known = s.world:add_bot { username = "shop_bot" }
    assert(h.core.db:commit(bots.insert({
      name = "shop", token = known.token, username = "shop_bot", transport = "polling", state = "active",
    }, vault.new(h.core.master))))
    bot = bots.open(bots.get(h.core.db, "shop"), vault.new(h.core.master), h.core.master)
    eventually("the bot polls", function() return known.poller end)
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function here() return "http://127.0.0.1:" .. h.port end
  local function examine(more)
    local given = { bot = bot, url = s:url(), db = h.core.db }
    for key, value in pairs(more or {}) do given[key] = value end
    return doctor.examine(given)
  end
  -- The finding of a check that is of this kind, which says this.
  local function find(findings, check, kind, said)
    local all = {}
    for _, f in ipairs(findings) do
      all[#all + 1] = ("%s %s: %s"):format(f.check, f.kind, f.message)
      if f.check == check and f.kind == kind and f.message:find(said) then
        assert(kind == "good" or f.advice, f.message .. ": and what is to be done?")
        return f
      end
    end
    error(("%s %s: %s is not in\n%s"):format(check, kind, said, table.concat(all, "\n")), 2)
  end
  local function finds(check, kind, said, more)
    local findings, well = examine(more)
    assert.equal(kind ~= "problem", well)
    return find(findings, check, kind, said)
  end

  it("finds nothing wrong with a bot that works", function()
    local findings, well = examine()
    assert.is_true(well)
    for _, check in ipairs { "record", "api", "token", "webhook", "updates", "worker" } do find(findings, check, "good", "") end
    assert.is_nil(json.encode(findings):find(known.token, 1, true))
  end)

  it("tells a name that is not found from a server that is not reached", function()
    finds("api", "problem", "nowhere%.invalid is not found", { url = "http://nowhere.invalid:8081" })
    finds("api", "problem", "cannot be reached %(connect%)", { url = "http://127.0.0.1:1" })
    finds("api", "problem", "cannot be reached %(tls%)", { url = s:url():gsub("^http:", "https:") })
  end)

  it("finds a token that Telegram does not know, and one that cannot be opened", function()
    s.world.by_token[known.token] = nil
    assert.matches("@BotFather", finds("token", "problem", "Unauthorized").advice)
    bot = bots.open(bots.get(h.core.db, "shop"), vault.new(("n"):rep(32)), ("n"):rep(32))
    assert.matches("secret_key", finds("record", "problem", "another secret_key").advice)
  end)

  it("finds a webhook that is set while the host polls", function()
    known.webhook = { url = "https://other.example/hook" }
    assert.matches("delete%-webhook shop", finds("webhook", "problem", "https://other.example/hook").advice)
  end)

  it("finds that no webhook is set, that it leads elsewhere, and what Telegram says of it", function()
    bot.transport = "webhook"
    assert.matches("set%-webhook shop", finds("webhook", "problem", "no webhook is set").advice)
    known.webhook = { url = "https://me.example/tg/webhook/bank" }
    finds("webhook", "problem", "leads elsewhere")
    local url = here() .. "/tg/webhook/shop"
    known.webhook = { url = url }
    finds("webhook", "good", url)
    finds("webhook", "good", "leads to a host of Parley")
    for said, advice in pairs {
      ["SSL error {certificate verify failed}"] = "certificate", ["Connection refused"] = "nothing listens",
      ["Wrong response from the webhook: 404 Not Found"] = "/tg/webhook/NAME", ["Connection timed out"] = "firewall",
      ["Wrong response from the webhook: 502 Bad Gateway"] = "proxy", ["Something new"] = "log",
      ["Wrong response from the webhook: 401 Unauthorized"] = "secret",
      ["Failed to resolve host: Name or service not known"] = "DNS", ["Read timeout expired"] = "firewall",
      ["Wrong response from the webhook: 308 Permanent Redirect"] = "does not follow",
      ["Wrong response from the webhook: 413 Request Entity Too Large"] = "2 MB",
    } do
      known.webhook.last_error_date, known.webhook.last_error_message = os.time(), said
      known.first, known.last = 1, 1
      known.updates[1] = { update_id = 1 }
      assert.matches(advice, finds("webhook", "problem", (said:gsub("%p", "%%%0"))).advice)
      known.first, known.last = 1, 0
      finds("webhook", "hint", (said:gsub("%p", "%%%0")))
    end
  end)

  it("takes what the host itself answers for a bot that is paused for no problem", function()
    bot.transport, bot.state = "webhook", "paused"
    known.webhook = {
      url = here() .. "/tg/webhook/shop", last_error_date = os.time(),
      last_error_message = "Wrong response from the webhook: 503 Service Unavailable",
    }
    known.first, known.last = 1, 1
    known.updates[1] = { update_id = 1 }
    assert.matches("parley bot resume shop", finds("webhook", "hint", "503").advice)
    known.webhook.last_error_message = "Connection refused"
    finds("webhook", "problem", "Connection refused")
  end)

  it("finds that the name in the address is wrong, that nobody answers there, or somebody else", function()
    bot.transport = "webhook"
    local function at(url) known.webhook = { url = url .. "/tg/webhook/shop" } end
    at "https://nowhere.invalid"
    local finding = finds("webhook", "problem", "nowhere.invalid of the webhook is not found")
    assert.matches("record %(A, AAAA%) for nowhere.invalid", finding.advice)
    at "https://127.0.0.1:1" -- of a machine that cannot get out and in again, this is no problem
    finds("webhook", "hint", "nobody answers at the address")
    known.webhook.last_error_date, known.webhook.last_error_message = os.time(), "Connection refused"
    known.first, known.last = 1, 1
    known.updates[1] = { update_id = 1 }
    assert.matches("https_listen", finds("webhook", "problem", "nobody answers at the address").advice)
    known.first, known.last = 1, 0
    at(s:url())
    assert.matches("forward /tg/webhook/", finds("webhook", "problem", "somebody else answers.-404").advice)
    at((here():gsub("^http:", "https:")))
    assert.matches("plain HTTP", finds("webhook", "problem", "TLS fails at the address").advice)
  end)

  it("finds that the certificate at the address is of another name, has ended, or is trusted by nobody", function()
    bot.transport = "webhook"
    assert(fs.mkdir(h.home .. "/tls"))
    local function serve(name, o)
      local pair = certificate.make(h.home .. "/tls", name, o)
      if h.core.tls_server then
        h.core.certificate:use(assert(certificates.read { tls = pair }))
        return pair.certificate
      end
      h.core.config.tls = pair
      assert(h.core:listen_tls { host = "127.0.0.1", port = 0 })
      return pair.certificate
    end
    local function at(name, custom)
      known.webhook = {
        url = ("https://%s:%d/tg/webhook/shop"):format(name, h.core.tls_server:port()),
        certificate = custom and "given to Telegram" or nil,
      }
    end
    local pem = serve "own"
    at "localhost"
    assert.matches("%-%-certificate FILE", finds("webhook", "problem", "nobody trusts the certificate").advice)
    at("localhost", true)
    finds("webhook", "good", "leads to a host of Parley", { certificate = pem })
    assert.matches("renewed since", finds("webhook", "hint", "not to be seen from here").advice)
    known.webhook.last_error_date, known.webhook.last_error_message = os.time(), "SSL error {certificate verify failed}"
    assert.matches("give it that: parley bot set%-webhook shop %-%-certificate", finds("webhook", "hint", "verify failed").advice)
    pem = serve("other", { names = "DNS:other.example" })
    assert.matches("get one for localhost", finds("webhook", "problem", "for another name", { certificate = pem }).advice)
    pem = serve("ended", { at = "2020-01-01" })
    at("localhost", true)
    assert.matches("renew it", finds("webhook", "problem", "has ended", { certificate = pem }).advice)
  end)

  it("says it in the language of whoever asks", function()
    -- What is put into each text.
    local function places(language)
      local out = {}
      for key, text in pairs(require("parley.channels.telegram.doctor.words." .. language)) do
        local names = {}
        for name in text:gmatch "{(%w+)}" do names[#names + 1] = name end
        table.sort(names)
        out[key] = table.concat(names, " ")
      end
      return out
    end
    assert.same(places "en", places "ru")
    assert.same(places "en", places "uk")
    local admin = h:client("adm", { "admin" })
    s.world.by_token[known.token] = nil
    local r = admin("GET", "/api/v1/admin/bots/shop/doctor", nil, { ["Accept-Language"] = "de, uk-UA;q=0.9, en" })
    assert.matches("Telegram не знає токена цього бота", json.encode(r.body))
    local out = process.run({ process.EXE, "bot", "doctor", "shop", "--home", h.home }, {
      env = { PARLEY_DATABASE_URL = h.core.config.database_url, PARLEY_SECRET_KEY = h.core.master, LC_ALL = "ru_RU.UTF-8" },
    })
    assert.matches("PROBLEM  token    getMe: Unauthorized\n +Telegram не знает токена этого бота", out.out)
  end)

  it("says once that a webhook gets the updates, and that another program does when it is gone", function()
    known.webhook = { url = "https://other.example/hook" }
    known.taken:broadcast()
    local function noted() return bots.open(bots.get(h.core.db, "shop"), vault.new(h.core.master), h.core.master) end
    local function has(said)
      eventually("it is noted: " .. said, function()
        known.poller = known.poller + 1
        known.taken:broadcast()
        local problem = noted().problem
        return problem and problem.message:find(said)
      end, 30)
      bot = noted()
    end
    has "webhook is active"
    local findings = examine()
    for _, f in ipairs(findings) do assert.not_equal("stop the other program", (f.advice or ""):sub(1, 22)) end
    known.webhook = nil
    has "terminated by other"
    finds("updates", "problem", "terminated by other")
  end)

  it("finds another program that polls, by what the host has noted", function()
    known.poller = known.poller + 1 -- what another poller does
    known.taken:broadcast()
    eventually("the host has noted it", function() return bots.get(h.core.db, "shop").problem end)
    bot = bots.open(bots.get(h.core.db, "shop"), vault.new(h.core.master), h.core.master)
    assert.equal("conflict", bot.problem.code)
    assert.matches("stop the other program", finds("updates", "problem", "terminated by other").advice)
  end)

  it("says that many updates wait, that the bot is paused, that it has privacy", function()
    assert(h.core.db:commit(bots.update(bots.get(h.core.db, "shop"), { state = "paused" }, vault.new(h.core.master))))
    eventually("it rests", function() return not h.core.telegram.shards.runners.shop end)
    bot.state = "paused"
    for i = 1, 150 do known.updates[i] = { update_id = known.next_update + i } end
    known.first, known.last = 1, 150
    finds("updates", "hint", "^150 updates wait")
    assert.matches("parley bot resume shop", finds("record", "hint", "paused").advice)
    assert.matches("/setprivacy", finds("groups", "hint", "privacy mode").advice)
  end)

  it("finds that nobody works for it", function()
    finds("worker", "problem", "no host runs", { running = false })
    local function db(rows)
      return {
        dialect = function() return "postgres" end, first = function() return table.remove(rows, 1) end,
        query = function() return {} end, -- instances
      }
    end
    finds("worker", "problem", "no worker has taken the lease telegram:%d%d", { db = db {} })
    local still = { owner = "abc/0", fence = 1, renewals = 7 }
    finds("worker", "problem", "abc/0 is not renewed", { db = db { still, still } })
    finds("worker", "good", "abc/0 works", { db = db { still, { owner = "abc/0", fence = 1, renewals = 9 } } })
  end)

  it("is asked over HTTP, and at the command line, whose exit code tells", function()
    local admin = h:client("adm", { "admin" })
    local r = admin("GET", "/api/v1/admin/bots/shop/doctor")
    assert.equal(200, r.status)
    assert.is_true(r.body.well)
    local master, db = h.core.master, h.core.config.database_url
    local function run()
      return process.run({ process.EXE, "bot", "doctor", "shop", "--home", h.home },
        { env = { PARLEY_DATABASE_URL = db, PARLEY_SECRET_KEY = master } })
    end
    s.world.by_token[known.token] = nil
    local out = run()
    assert.equal(1, out.code)
    assert.matches("PROBLEM  token    getMe: Unauthorized\n +Telegram does not know the token", out.out)
    assert.is_nil(out.out:find(known.token, 1, true))
  end)
end)
