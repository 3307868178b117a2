-- Broadcasts in a whole host, against the simulated Telegram.

local broadcasts = require "parley.broadcasts"
local crowd = require "spec.support.people"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.callback({ go = 'string' }, function(c, data) c:reply('went ' .. data.go) end)
p.on.any(function(c) c:reply 'hello' end)
return p
]]

local BY = { by = "spec" }

describe("a broadcast", function()
  local s, h, bot
  local function start(home)
    return host.start {
      home = home, plugins = { talk = { main = MAIN } },
      config = ([[return {
        telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk',
      }]]):format(bot.token, s:url()),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    h = start()
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function people(n, more) return crowd.add(s, bot, h.core.db, n, more) end
  local function texts(user_id) return crowd.heard(s, bot, user_id) end

  local function create(given)
    given.bot, given.locale = given.bot or "main", given.locale or "en"
    given.actions = given.actions or { { type = "send", text = "news" } }
    return broadcasts.create(h.core.db, given, BY)
  end
  local function get(id) return broadcasts.view(assert(broadcasts.get(h.core.db, id))) end
  local function done(id)
    return eventually("the broadcast is done", function()
      local b = get(id)
      return b.state == "done" and b
    end)
  end
  local function run(given)
    local b = assert(create(given))
    assert(broadcasts.start(h.core.db, b.id, BY))
    return done(b.id)
  end

  it("reaches everybody once, and only people who have written", function()
    local all = people(250)
    s.world:add_user {}
    local b = run { label = "spring" }
    for _, id in ipairs(all) do assert.same({ "news" }, texts(id)) end
    assert.same({ 250, 250, 250, 0, 100 },
      { b.progress.candidates, b.progress.recipients, b.progress.sent, b.progress.on_the_way, b.progress.percent })
    assert.equal(0, h:count "outbox")
    assert.truthy(h.core.db:first "SELECT id FROM audit_logs WHERE action = 'broadcast_done'")
  end)

  it("is in the history of each dialog, in its language, after what was said before", function()
    local ann = people(1, { locale = "uk" })[1]
    people(1, { locale = "en" })
    s:act("send", { bot = "shop_bot", user = ann, text = "hi" })
    eventually("an answer", function() return texts(ann)[1] == "hello" end)
    local b = run { actions = { { type = "send", text = { en = "Open at 8", uk = "Відчинено з 8" } } } }
    local list = h:request("GET", ("/api/v1/dialogs/tg:main:%d"):format(ann)).body.messages
    local last = list[#list]
    assert.same({ "operator", "Відчинено з 8", b.id },
      { last.sender_type, last.payload.actions[1].text, last.payload.broadcast })
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM messages WHERE sender_type = 'operator'").n)
  end)

  it("speaks the language of each, with buttons that work", function()
    local ann, bob, eve = people(1, { locale = "uk-UA" })[1], people(1, { locale = "ru" })[1], people(1)[1]
    run {
      actions = {
        { type = "send", text = { en = "**Tea**", uk = "**Чай**" }, format = "markdown",
          buttons = { { { text = { en = "Go", uk = "Йти" }, data = { go = "x" }, plugin = "talk" } } } },
        { type = "send", photo = { url = "https://example.org/a.jpg" }, text = "both" },
      },
    }
    assert.same({ "Чай", "both" }, texts(ann))
    assert.same({ "Tea", "both" }, texts(bob))
    assert.same({ "Tea", "both" }, texts(eve))
    s:act("press", { bot = "shop_bot", user = ann, message_id = 1, button = "Йти" })
    eventually("the plugin has answered", function() return texts(ann)[3] == "went x" end)
  end)

  it("goes to those who are meant", function()
    local uk = people(2, { locale = "uk" })
    local admin = people(1, { role = "admin" })[1]
    local vip = people(1, { attributes = { tags = { "vip", "x" }, plan = "pro" } })[1]
    local shop = people(1, { state = { shop = { n = 1 } } })[1]
    local function reached(audience)
      local b = run { audience = audience, actions = { { type = "send", text = "to " .. json.encode(audience) } } }
      local out = {}
      for _, id in ipairs { uk[1], uk[2], admin, vip, shop } do
        local last = texts(id)
        if last[#last] == "to " .. json.encode(audience) then out[#out + 1] = id end
      end
      assert.equal(#out, b.progress.sent)
      return out
    end
    assert.same(uk, reached { locales = { "uk" } })
    assert.same({ admin }, reached { roles = { "admin", "operator" } })
    assert.same({ vip }, reached { attributes = { tags = "vip", plan = "pro" } })
    assert.same({}, reached { attributes = { tags = "vip", plan = "free" } })
    assert.same({ shop }, reached { plugins = { "shop" } })
    assert.same({ uk[2], vip }, reached { telegram_ids = { vip, uk[2], vip } })
    local user = h.core.db:first("SELECT id FROM users WHERE telegram_id = $1", admin)
    assert.same({ uk[1], admin }, reached { users = { user.id }, dialogs = { "tg:main:" .. uk[1] } })
    local group = s:act("chats", { users = { admin }, bots = { "shop_bot" } })
    run { audience = { dialogs = { "tg:main:" .. group.id } } }
    assert.same({ "news" }, texts(group.id))
  end)

  it("is checked before it is stored", function()
    local function refused(given, words)
      local _, err = create(given)
      assert.equal("validation_failed", err.code)
      assert.matches(words, err.message)
    end
    refused({ actions = { { type = "typing" } } }, "^/actions/0: only actions of type 'send'")
    refused({ actions = { { type = "send" } } }, "'text', or a medium, is missing")
    refused({ actions = { { type = "send", text = "a", x = 1 } } }, "x: is not a known field")
    refused({ actions = { { type = "send", text = { uk = "a" } } } }, "lacks the one in 'en'")
    refused({ actions = { { type = "send", text = ("x "):rep(8000) }, { type = "send", text = ("y "):rep(8000) },
      { type = "send", text = ("z "):rep(8000) } } }, "12 messages for each recipient")
    refused({ actions = { { type = "send", text = "a", buttons = { { { text = "b", data = { go = "x" } } } } } } },
      "'plugin' must name")
    refused({ actions = { { type = "send", text = "a",
      buttons = { { { text = "b", plugin = "talk", data = { go = ("x"):rep(60) } } } } } } }, "too long")
    refused({ audience = { telegram_ids = { 1 }, roles = { "user" } } }, "not both")
    refused({ audience = { dialogs = { "tg:other:1" } } }, "no dialog of the bot 'main'")
    refused({ audience = { users = { "nobody" } } }, "no user 'nobody'")
    assert.equal(0, h:count "broadcasts")
  end)

  it("leaves out who has blocked the bot, and reports who does and what fails", function()
    local all = people(6)
    assert(h.core.db:commit { {
      "INSERT INTO chats (sender, chat_id, state, changed_at) VALUES ('tg:main', $1, 'deactivated', 1)", all[2],
    } })
    s:act("block", { bot = "shop_bot", user = all[4] })
    s:act("faults", { kind = "status", status = 400, method = "sendMessage", chat_id = all[5] })
    local b = run {}
    assert.same({ 3, 2, 1, 0 }, { b.progress.sent, b.progress.blocked, b.progress.failed, b.progress.uncertain })
    assert.same({}, texts(all[2]))
    local report = assert(broadcasts.report(h.core.db, b.id))
    local reasons = {}
    for _, r in ipairs(report.reasons) do reasons[r.result .. " " .. r.code] = r.recipients end
    assert.same({ ["blocked deactivated"] = 1, ["blocked blocked"] = 1, ["failed bad_request"] = 1 }, reasons)
    local blocked = assert(broadcasts.results(h.core.db, b.id, "blocked", nil, 10))
    assert.same({ "tg:main:" .. all[2], "tg:main:" .. all[4] }, { blocked[1].dialog_id, blocked[2].dialog_id })
    assert.equal(1, #assert(broadcasts.results(h.core.db, b.id, "blocked", blocked[1].dialog_id, 10)))
    assert.equal(3, #assert(broadcasts.results(h.core.db, b.id, nil, nil, 10)))
  end)

  it("stands still when it is paused, goes on where it was, and ends when it is cancelled", function()
    local all = people(400)
    local function reached()
      local n = 0
      for _, id in ipairs(all) do
        assert(#texts(id) <= 1)
        n = n + #texts(id)
      end
      return n
    end
    s:act("faults", { kind = "slow", seconds = 0.2, method = "sendMessage", times = 0 })
    local b = assert(create {})
    assert(broadcasts.start(h.core.db, b.id, BY))
    eventually("some have it", function() return reached() > 20 end)
    assert(broadcasts.pause(h.core.db, b.id, BY))
    local function rests(id)
      return eventually("it rests", function()
        local row = h.core.db:first("SELECT live FROM broadcasts WHERE id = $1", id)
        return row.live == 0 and get(id)
      end)
    end
    local paused = rests(b.id)
    assert.equal("paused", paused.state)
    assert.same({ 0, reached() }, { paused.progress.on_the_way, paused.progress.sent })
    assert.is_true(paused.progress.sent < 400)
    local _, err = broadcasts.start(h.core.db, b.id, BY)
    assert.equal("conflict", err.code)
    assert.matches("the broadcast is paused: only one that is a draft or scheduled can be started", err.message)
    assert(broadcasts.resume(h.core.db, b.id, BY))
    eventually("more have it", function() return reached() > paused.progress.sent + 10 end)
    assert(get(b.id).progress.per_minute > 0)
    assert(broadcasts.cancel(h.core.db, b.id, { by = "spec", reason = "a mistake" }))
    local cancelled = rests(b.id)
    assert.same({ "cancelled", reached() }, { cancelled.state, cancelled.progress.sent })
    _, err = broadcasts.resume(h.core.db, b.id, BY)
    assert.equal("conflict", err.code)
  end)

  it("starts at its time", function()
    local all = people(1)
    local b = assert(create {})
    local time = require "host.time"
    assert(broadcasts.start(h.core.db, b.id, { by = "spec", at = time.now_ms() + 3600000 }))
    assert.equal("scheduled", get(b.id).state)
    assert(broadcasts.start(h.core.db, b.id, { by = "spec", at = time.now_ms() + 700 }))
    done(b.id)
    assert.same({ "news" }, texts(all[1]))
  end)
end)
