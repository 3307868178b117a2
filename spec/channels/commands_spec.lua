-- The list of commands that a bot shows: told to Telegram when it is another one.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local sim = require "parley.sim.telegram"
local vault = require "parley.auth.vault"

local MAIN = "local p = parley.plugin() p.on.any(function(c) c:reply 'x' end) return p"

local function plugin(commands, more)
  local manifest = { commands = commands }
  for key, value in pairs(more or {}) do manifest[key] = value end
  return { main = MAIN, manifest = manifest }
end

describe("the commands of a bot", function()
  local s, h, bot
  local function start(home, plugins)
    return host.start {
      home = home, plugins = plugins,
      config = ("return { locale = 'uk', telegram = { token = %q, api = %q } }"):format(bot.token, s:url()),
    }
  end
  before_each(function()
    s = assert(sim.start())
    bot = s.world:add_bot { username = "shop_bot" }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function calls() return #s:view("calls", { after = "0", method = "setMyCommands" }).calls end
  local function list(language)
    local out = {}
    for _, c in ipairs(bot.commands["default||" .. language] or {}) do out[c.command] = c.description end
    return out
  end
  local function published(n)
    eventually("the commands are published", function() return calls() >= n end)
    eventually("it is noted", function() return h.core.db:first "SELECT 1 AS x FROM published WHERE sender = 'tg:main'" end)
  end

  it("are those of its plugins, in three languages and the host's own", function()
    h = start(nil, {
      shop = plugin({
        { name = "buy", description = { en = "Buy", ru = "Купить", ["uk-UA"] = "Купити" } },
        { name = "plain", description = "Said once" }, { name = "reset", description = "never reached" },
        { name = ("n"):rep(33), description = "too long" },
      }),
      staff = plugin({ { name = "ban" } }, { when = { roles = { "admin" } } }),
      web = plugin({ { name = "web" } }, { when = { channels = { "web" } } }),
      kyiv = plugin({ { name = "kyiv" } }, { when = { locales = { "uk" } }, title = { uk = "Київ" } }),
    })
    published(4)
    local en, ru, uk = list "en", list "ru", list "uk"
    assert.same({ "Buy", "Купить", "Купити" }, { en.buy, ru.buy, uk.buy })
    assert.equal("Said once", ru.plain)
    assert.same({ "Start the dialog anew", "Обновить диалог", "Оновити діалог" }, { en.reset, ru.reset, uk.reset })
    assert.equal("Choose the language", en.language)
    assert.same(uk, list "") -- the host's own language
    assert.equal("Київ", uk.kyiv)
    assert.is_nil(en.kyiv)
    for _, name in ipairs { "ban", "web", ("n"):rep(33) } do assert.is_nil(uk[name], name) end
  end)

  it("are told once, and again when they change", function()
    h = start(nil, { shop = plugin({ { name = "buy", description = "Buy" } }) })
    published(4)
    h:stop()
    h = start(h.home)
    h:write_plugin("shop", plugin({ { name = "sell", description = "Sell" } }))
    assert(h.core:reload())
    published(8)
    eventually("the new list", function() return list("uk").sell and not list("uk").buy end)
    assert.equal(8, calls())
    local admin = h:client("adm", { "admin" })
    assert.equal(200, admin("POST", "/api/v1/admin/plugins/shop/disable", { reason = "closed" }).status)
    eventually("the list without it", function() return not list("ru").sell end)
    assert.truthy(list("ru").reset)
  end)

  it("are tried again when they could not be told", function()
    s:act("faults", { kind = "status", status = 502, method = "setMyCommands" })
    h = start()
    eventually("it has failed", function() return calls() == 1 end)
    eventually("it is told", function()
      h.core.telegram.commands:wake() -- in the place of a minute
      return calls() >= 5
    end)
    published(5)
    assert.truthy(list("").reset)
  end)

  it("of many bots are not asked for one by one while Telegram is away", function()
    h = start()
    published(4)
    s:act("faults", { kind = "status", status = 502, method = "setMyCommands", times = 0 })
    local statements, N = {}, 12
    for i = 1, N do
      local other = s.world:add_bot { username = ("more%d_bot"):format(i) }
      local given = { name = "more" .. i, token = other.token, transport = "polling", state = "active" }
      for _, statement in ipairs(bots.insert(given, vault.new(h.core.master))) do
        statements[#statements + 1] = statement
      end
    end
    assert(h.core.db:commit(statements))
    eventually("it has failed", function() return calls() > 4 end)
    eventually("it is over", function() return h.core.telegram.commands.resting end)
    assert.is_true(calls() - 4 < N, calls() - 4 .. " calls")
    s:act "calm"
    h.core.telegram.commands:wake()
    eventually("all are told", function() return h.core.db:first("SELECT count(*) AS n FROM published").n == N + 1 end)
  end)

  it("are at most a hundred, the host's own among them", function()
    local many = {}
    for i = 1, 60 do many[i] = { name = "c" .. i, description = "x" } end
    local more = {}
    for i = 1, 60 do more[i] = { name = "d" .. i, description = "x" } end
    h = start(nil, { one = plugin(many), two = plugin(more) })
    published(4)
    assert.equal(100, #bot.commands["default||uk"])
    assert.truthy(list("uk").reset)
  end)
end)
