-- Many bots of Telegram in one host: they come, change and go while the others work.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local sim = require "parley.sim.telegram"
local sweep = require "parley.store.sweep"
local task = require "host.task"
local time = require "host.time"
local vault = require "parley.auth.vault"

local MAIN = [[
local p = parley.plugin()
p.on.command('say', function(c, text) c:reply(text) end)
return p
]]

describe("bots of a host", function()
  local s, h, ann
  before_each(function()
    s = assert(sim.start { limits = false })
    ann = s.world:add_user { first_name = "Ann" }
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = json.array { { name = "say" } } } } },
      config = ("return { telegram = { api = %q } }"):format(s:url()),
    }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function add(name, more)
    local bot = s.world:add_bot { username = name .. "_bot" }
    local given = { name = name, token = bot.token, transport = "polling", state = "active" }
    for key, value in pairs(more or {}) do given[key] = value end
    assert(h.core.db:commit(bots.insert(given, vault.new(h.core.master))))
    return bot
  end
  local function change(name, set)
    local row = assert(bots.get(h.core.db, name))
    assert(h.core.db:commit(bots.update(row, set, vault.new(h.core.master))))
  end
  local function write(bot, text) assert(s:act("send", { bot = bot.user.username, user = ann.id, text = text })) end
  local function said(bot)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = bot.user.username, chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end
  local function hears(bot, text, all)
    write(bot, "/say " .. text)
    eventually(text .. " is answered", function() return said(bot)[#said(bot)] == text end)
    assert.same(all, said(bot))
  end
  -- Who polls and sends for a bot.
  local function runner(name) return h.core.telegram.shards.runners[name] end

  it("begin when they are added, each in dialogs of its own", function()
    local shop, bank = add "shop", add "bank"
    hears(shop, "one", { "one" })
    hears(bank, "two", { "two" })
    assert.same({ "one" }, said(shop))
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM dialogs").n)
    assert.equal("shop_bot", bots.get(h.core.db, "shop").username)
  end)

  it("are paused, resumed and removed while others work undisturbed", function()
    local shop, bank = add "shop", add "bank"
    hears(shop, "one", { "one" })
    hears(bank, "two", { "two" })
    local undisturbed = runner "bank"
    change("shop", { state = "paused" })
    eventually("it sends no more", function() return not h.core.telegram.senders.shop end)
    write(shop, "/say three")
    assert.equal("paused", h.core.telegram.fleet:get("shop").state)
    local polls = shop.poller
    task.sleep(0.5)
    assert.equal(polls, shop.poller)
    assert.same({ "one" }, said(shop))
    change("shop", { state = "active" })
    eventually("it goes on", function() return #said(shop) == 2 end)
    assert(h.core.db:commit(bots.remove(bots.get(h.core.db, "shop"))))
    eventually("it is gone", function() return not h.core.telegram.fleet:get "shop" end)
    write(shop, "/say four")
    hears(bank, "five", { "two", "five" })
    assert.equal(undisturbed, runner "bank")
    assert.same({ "one", "three" }, said(shop))
  end)

  it("leave nothing behind that would be done, or believed, in their names", function()
    local db, now = h.core.db, time.now_ms()
    add("shop", { state = "paused" })
    add("bank", { state = "paused" })
    local function open_row(id, name, at_ms)
      return {
        "INSERT INTO outbox (id, sender, dialog_id, lane, method, params, state, attempts, trace_id, created_at) "
          .. "VALUES ($1, $2, $3, 'reply', 'sendMessage', '{}', 'open', 0, 't', $4)",
        id, "tg:" .. name, "tg:" .. name .. ":1", at_ms,
      }
    end
    for _, name in ipairs { "shop", "bank" } do
      assert(db:commit {
        open_row("1" .. name, name, now),
        { "INSERT INTO chats (sender, chat_id, state, changed_at) VALUES ($1, 1, 'blocked', 1)", "tg:" .. name },
        { "INSERT INTO published (sender, what, digest, published_at) VALUES ($1, 'x', 'x', 1)", "tg:" .. name },
        {
          "INSERT INTO jobs (id, plugin, job, dialog_id, run_at, state, attempts, trace_id, created_at) "
            .. "VALUES ($1, 'talk', 'ring', $2, $3, 'open', 0, 't', 1)", name, "tg:" .. name .. ":1", now + 1e9,
        },
      })
    end
    assert(db:commit(bots.remove(bots.get(db, "shop"))))
    -- A turn that ended in the meantime, and one of a bot that is only paused.
    assert(db:commit { open_row("2shop", "shop", now - 25 * 3600000), open_row("2bank", "bank", now - 25 * 3600000) })
    assert(sweep.once(db))
    local function count(what, name)
      return db:first(("SELECT count(*) AS n FROM %s = $1"):format(what), name).n
    end
    for name, n in pairs { shop = 0, bank = 1 } do
      assert.equal(n, count("chats WHERE sender", "tg:" .. name))
      assert.equal(n, count("published WHERE sender", "tg:" .. name))
      assert.equal(n, count("jobs WHERE state = 'open' AND id", name))
      assert.equal(2 * n, count("outbox WHERE state = 'open' AND sender", "tg:" .. name))
    end
  end)

  it("are polled and sent for no longer when the lease is lost, at once", function()
    local shop = add "shop"
    hears(shop, "one", { "one" })
    local before = runner "shop"
    local active = http.stats().patient
    assert.is_true(active >= 1)
    before.lease.until_s = 0 -- it was not renewed
    before.lease.changed:broadcast()
    eventually("the runner has ended", function() return before.state == "stopped" end)
    assert.is_true(before.sender.closed)
    assert.equal("failed", before.task:status()) -- cancelled, in the middle of its poll
    eventually("the lease is taken again", function() return runner "shop" and runner "shop" ~= before end)
    hears(shop, "two", { "one", "two" })
  end)

  it("are not begun with any more when the host stops", function()
    local shop = add "shop"
    hears(shop, "one", { "one" })
    h.core.telegram:stop()
    local polls = shop.poller
    change("shop", { state = "paused" })
    change("shop", { state = "active" })
    add "bank"
    task.sleep(1.5)
    assert.equal(polls, shop.poller)
    assert.is_nil(s.world.bots.bank_bot.poller)
  end)

  it("that were stored under another secret_key are left alone, and it is said why", function()
    local shop = add "shop"
    hears(shop, "one", { "one" })
    local home = h.home
    h:stop()
    local wrong = ("return { telegram = { api = %q }, secret_key = %q }"):format(s:url(), ("w"):rep(32))
    h = host.start { home = home, config = wrong }
    local bank = add "bank"
    eventually("it has failed", function() return runner "shop" and runner("shop").state == "failing" end)
    local polls = shop.poller
    hears(bank, "two", { "two" })
    assert.equal(polls, shop.poller)
    local r = h:client("adm", { "admin" })("GET", "/api/v1/admin/bots/shop")
    assert.equal("wrong_secret_key", r.body.problem.code)
    assert.matches("PARLEY_SECRET_KEY", r.body.problem.message)
    -- Given again, it is stored under the key of this host.
    change("shop", { token = shop.token })
    hears(shop, "three", { "one", "three" })
  end)

  describe("of their own", function()
    local SHOW = [[
local p = parley.plugin()
p.on.command('show', function(c)
  local t = c.message.context.telegram.bot
  c:reply(t.name .. ' @' .. t.username .. ' ' .. c.locale .. ' ' .. tostring(c.config.colour) .. ' ' .. tostring(c.config.size))
end)
p.on.command('ring', function(c) c:schedule { job = 'ring', ['in'] = 0 } end)
p.on.job('ring', function(c) c:reply 'ring' end)
return p
]]
    local OTHER = [[
local p = parley.plugin()
p.on.command('other', function(c) c:reply 'other' end)
p.on.any(function(c) c:reply 'what?' end)
return p
]]
    local function restart(more)
      h:stop()
      h = host.start {
        plugins = {
          show = { main = SHOW, manifest = {
            commands = json.array { { name = "show" }, { name = "ring" } }, permissions = { "jobs" },
            config = { type = "object", properties = { colour = { type = "string" }, size = { type = "integer" } } },
          } },
          other = { main = OTHER, manifest = { commands = json.array { { name = "other" } } } },
        },
        config = ("return { telegram = { api = %q, %s }, plugins = { show = { colour = 'red', size = 1 } } }")
          :format(s:url(), more or ""),
      }
    end
    local function answer(bot, text)
      local before = #said(bot)
      write(bot, text)
      eventually(text .. " is answered", function() return #said(bot) > before end)
      return said(bot)[before + 1]
    end

    it("settings come before those of the host, in their dialogs only", function()
      restart()
      ann.language_code = nil
      local shop = add("shop", { config = { locale = "uk", plugins = { show = { colour = "blue" } } } })
      local bank = add "bank"
      assert.equal("shop @shop_bot uk blue 1", answer(shop, "/show"))
      assert.matches("^bank @bank_bot %a+ red 1$", answer(bank, "/show"))
      change("shop", { config = { plugins = { show = { size = 7 } } } })
      eventually("it is known", function() return not h.core.telegram.fleet:get("shop").config.locale end)
      assert.equal("shop @shop_bot uk red 7", answer(shop, "/show"))
      change("shop", { config = { plugins = { show = { size = "large" } } } })
      eventually("it is known", function() return h.core.telegram.fleet:get("shop").config.plugins.show.size == "large" end)
      assert.equal("shop @shop_bot uk red 1", answer(shop, "/show"))
    end)

    it("plugins are all that their dialogs reach", function()
      restart()
      local shop = add("shop", { plugins = { "show" } })
      local bank = add("bank", { plugins = { "show", "other" }, config = { fallback_plugin = "other" } })
      assert.equal("other", answer(bank, "/other"))
      assert.equal("what?", answer(bank, "hello"))
      assert.not_equal("other", answer(shop, "/other"))
      assert.not_equal("what?", answer(shop, "hello"))
      assert.equal("ring", answer(shop, "/ring"))
      change("shop", { plugins = json.null })
      eventually("it is known", function() return not h.core.telegram.fleet:get("shop").plugins end)
      assert.equal("other", answer(shop, "/other"))
    end)

    it("who may do what is its own matter, where it says so, and the host's elsewhere", function()
      restart "access = { tg_client = { messages = false } }"
      local open = { tg_client = { messages = true, commands = json.array { "show" } } }
      local shop, bank = add("shop", { config = { access = open } }), add "bank"
      assert.equal("shop @shop_bot en red 1", answer(shop, "/show"))
      local refused = answer(bank, "/show")
      assert.equal("Sorry, this is not open to you here.", refused)
      change("shop", { config = {} })
      eventually("it is known", function() return not h.core.telegram.fleet:get("shop").config.access end)
      assert.equal(refused, answer(shop, "/show"))
    end)

    it("rules may go by the bot", function()
      h:stop()
      local home = host.temp_dir()
      assert(fs.mkdir(home .. "/conf"))
      assert(fs.write(home .. "/conf/rules.lua", "return { { match = { bot = 'shop' }, route = { reply = 'closed' } } }"))
      h = host.start {
        home = home, config = ("return { telegram = { api = %q } }"):format(s:url()),
        plugins = { talk = { main = MAIN, manifest = { commands = json.array { { name = "say" } } } } },
      }
      local shop, bank = add "shop", add "bank"
      assert.equal("closed", answer(shop, "/say hi"))
      assert.equal("hi", answer(bank, "/say hi"))
    end)
  end)
end)
