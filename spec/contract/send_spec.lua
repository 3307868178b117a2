-- What is said in a dialog although nobody there has asked: by operators over HTTP, by plugins from other dialogs.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.command('tell', function(c, rest)
  local who, text = rest:match '^(%S+) (.+)$'
  local ok, err = c:notify(who, { text = text, buttons = { { { text = 'Yes', data = { go = 'yes' } } } } })
  c:reply(ok and 'told' or err.code .. ': ' .. err.message)
end)
p.on.command('fail', function(c, rest)
  c:notify(rest, 'never')
  error 'after all'
end)
p.on.callback({ go = 'string' }, function(c, data) c:reply('pressed ' .. data.go) end)
p.on.any(function(c) c:reply('heard ' .. c.message.text) end)
return p
]]

local DUMB = [[
local p = parley.plugin()
p.on.command('dumb', function(c, rest) c:reply(select(2, c:notify(rest, 'x')).message) end)
return p
]]

local PLUGINS = {
  talk = { main = MAIN, manifest = { commands = { { name = "tell" }, { name = "fail" } }, permissions = { "notify" } } },
  dumb = { main = DUMB },
}

describe("a dialog over HTTP", function()
  local h, bot
  before_each(function()
    h = host.start { plugins = PLUGINS, config = "return { fallback_plugin = 'talk' }" }
    bot = h:client("bot", { "dialogs:write", "dialogs:read" })
  end)
  after_each(function() h:stop() end)

  local function history(dialog)
    local out = {}
    for _, m in ipairs(h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages) do
      out[#out + 1] = m.sender_type .. " " .. (m.payload.text or m.payload.actions[1].text)
    end
    return out
  end
  local function send(dialog, text, headers)
    return bot("POST", "/api/v1/dialogs/" .. dialog .. "/send", { actions = { { type = "send", text = text } } }, headers)
  end

  it("gets what an operator writes, in its history, once for each key", function()
    h:say("a", "one")
    local r = send("a", "wait a moment", { ["Idempotency-Key"] = "k" })
    assert.same({ 200, "sent", "a" }, { r.status, r.body.status, r.body.dialog_id })
    assert.equal(r.text, send("a", "wait a moment", { ["Idempotency-Key"] = "k" }).text)
    h:say("a", "two")
    assert.same({ "user one", "plugin heard one", "operator wait a moment", "user two", "plugin heard two" }, history "a")
    local event = h.core.db:first "SELECT source, details FROM audit_logs WHERE action = 'operator_message'"
    assert.matches("^token:", event.source)
    assert.equal("a", json.decode(event.details).dialog_id)
  end)

  it("is found by its user", function()
    h:say("a", "one")
    h:say("b", "two")
    local alice = h.core.db:first "SELECT id FROM users WHERE external_id = 'alice'".id
    local body = { actions = { { type = "send", text = "hello" } } }
    local r = bot("POST", "/api/v1/users/" .. alice .. "/send", body)
    assert.same({ 200, "b" }, { r.status, r.body.dialog_id })
    assert.equal("operator hello", history "b"[3])
    local function refused(code, path) assert.equal(code, bot("POST", "/api/v1/users/" .. path, body).body.code) end
    refused("dialog_not_found", alice .. "/send?bot=main")
    refused("user_not_found", "nobody/send")
    refused("user_not_found", "x.y/send")
  end)

  it("refuses what cannot be said", function()
    h:say("a", "one")
    assert.same({ 404, "dialog_not_found" }, { send("nobody", "x").status, send("nobody", "x").body.code })
    local function refused(actions, words)
      local r = bot("POST", "/api/v1/dialogs/a/send", { actions = actions })
      assert.same({ 400, "validation_failed" }, { r.status, r.body.code })
      assert.matches(words, r.body.detail)
    end
    refused({ { type = "close" } }, "actions%[0%]: only the type 'send' is allowed")
    refused({ { type = "send" } }, "actions%[0%]: 'text', or a medium, is missing")
    refused({ { type = "send", text = "a", keyboard = { rows = { { { text = "b" } } } } } }, "keyboard: belongs to an answer")
    assert.equal(403, h:client("bot", { "dialogs:read" })("POST", "/api/v1/dialogs/a/send",
      { actions = { { type = "send", text = "x" } } }).status)
  end)

  it("gets what a plugin says from another one, with the turn or not at all", function()
    h:say("bobs", "hi", { user = { external_id = "bob" } })
    local bob = h.core.db:first "SELECT id FROM users WHERE external_id = 'bob'".id
    assert.equal("told", h:say("a", "/tell " .. bob .. " hello bob").body.text)
    eventually("bob is told", function() return #history "bobs" == 3 end)
    assert.equal("plugin hello bob", history "bobs"[3])
    h:say("a", "/fail " .. bob)
    assert.equal("no_dialog: notify: the user has not written here yet",
      h:say("a", "/tell " .. h:request("POST", "/api/v1/users", { external_id = "eve" }).body.user.id .. " x").body.text)
    assert.matches("^user_not_found: ", h:say("a", "/tell nobody x").body.text)
    local alice = h.core.db:first "SELECT id FROM users WHERE external_id = 'alice'".id
    assert.matches("^invalid: notify: this is the user's own dialog", h:say("a", "/tell " .. alice .. " x").body.text)
    assert.matches("needs the permission 'notify'", h:say("a", "/dumb " .. bob).body.text)
    assert.equal(0, h.core.db:first "SELECT count(*) AS n FROM jobs WHERE state <> 'done'".n)
    assert.equal(3, #history "bobs")
  end)
end)

describe("a chat of Telegram", function()
  local s, h, bot, ann, bob
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    h = host.start {
      plugins = PLUGINS,
      config = ("return { telegram = { token = %q, api = %q }, fallback_plugin = 'talk' }"):format(bot.token, s:url()),
    }
    ann, bob = s.world:add_user {}, s.world:add_user {}
    for _, user in ipairs { ann, bob } do s:act("send", { bot = "shop_bot", user = user.id, text = "hi" }) end
    eventually("both are known and answered", function()
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'sent'").n == 2
    end)
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function said(user, n)
    local out
    eventually(n .. " messages", function()
      out = {}
      for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(user.id) }).messages) do
        if m.from == bot.user then out[#out + 1] = m.text end
      end
      return #out >= n
    end)
    return out
  end
  local function id_of(user) return h.core.db:first("SELECT id FROM users WHERE telegram_id = $1", user.id).id end

  it("gets what operators and plugins say, in their lanes, with buttons that work", function()
    local r = h:request("POST", "/api/v1/dialogs/tg:main:" .. bob.id .. "/send",
      { actions = { { type = "send", text = "your order" } } })
    assert.equal(200, r.status)
    assert.same({ "heard hi", "your order" }, said(bob, 2))
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/tell " .. id_of(bob) .. " hello bob" })
    assert.same({ "heard hi", "told" }, said(ann, 2))
    assert.same({ "heard hi", "your order", "hello bob" }, said(bob, 3))
    local lanes = {}
    for _, row in ipairs(h.core.db:query("SELECT lane FROM outbox WHERE dialog_id = $1 ORDER BY id", "tg:main:" .. bob.id)) do
      lanes[#lanes + 1] = row.lane
    end
    assert.same({ "reply", "operator", "p2p" }, lanes)
    r = h:request("POST", "/api/v1/users/" .. id_of(ann) .. "/send?bot=main", { actions = { { type = "send", text = "ann" } } })
    assert.same({ 200, "tg:main:" .. ann.id }, { r.status, r.body.dialog_id })
    local last = s:view("messages", { bot = "shop_bot", chat = tostring(bob.id) }).messages
    s:act("press", { bot = "shop_bot", user = bob.id, message_id = last[#last].message_id, button = "Yes" })
    assert.equal("pressed yes", said(bob, 4)[4])
  end)

  it("that has blocked the bot is not written to, and whoever would is told", function()
    assert(h.core.db:commit { {
      "INSERT INTO chats (sender, chat_id, state, changed_at) VALUES ('tg:main', $1, 'blocked', 1)", bob.id,
    } })
    local r = h:request("POST", "/api/v1/dialogs/tg:main:" .. bob.id .. "/send", { actions = { { type = "send", text = "x" } } })
    assert.same({ 409, "recipient_blocked" }, { r.status, r.body.code })
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/tell " .. id_of(bob) .. " x" })
    assert.equal("blocked: notify: the chat of the user is blocked", said(ann, 2)[2])
  end)
end)
