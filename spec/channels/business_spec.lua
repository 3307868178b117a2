-- A bot that answers in the name of a business: in its chats with customers, and in no other.

local address = require "parley.channels.telegram.address"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local render = require "parley.channels.telegram.render"
local sim = require "parley.sim.telegram"
local slow_server = require "spec.support.slow_server"
local telegram = require "parley.schema.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.command('say', function(c, text) c:reply(text) end)
p.on.command('ask', function(c) c:reply { text = 'Which?', buttons = { { { text = 'Tea', data = { go = 'tea' } } } } } end)
p.on.callback({ go = 'string' }, function(c, data) c:edit(c.message.payload.message_id, 'You have chosen ' .. data.go) end)
p.on.command('album', function(c)
  c:reply { album = { { photo = { url = 'https://x.example/1.jpg' } }, { photo = { url = 'https://x.example/2.jpg' } } } }
end)
p.on.command('later', function(c) c:schedule { job = 'ring', ['in'] = 0 } end)
p.on.job('ring', function(c) c:reply 'ring' end)
p.on.command('slow', function(c) c.http:get(c.config.url .. '?seconds=2') c:reply 'slow' end)
p.on.command('gone', function(c, id) c:delete(id) end)
p.on.command('like', function(c) c:react '👍' c:reply 'liked' end)
p.on.command('whose', function(c)
  local connection, err = c:ask_telegram('getBusinessConnection', { business_connection_id = 'other' })
  c:reply(connection and connection.user.first_name or err.message)
end)
p.on.command('count', function(c) c.session.n = (c.session.n or 0) + 1 c:reply(tostring(c.session.n)) end)
p.on.event('telegram.deleted_business_messages', function(c, data) c:reply('you took back ' .. #data.message_ids) end)
return p
]]

local COMMANDS = json.array()
for _, name in ipairs { "say", "ask", "album", "later", "slow", "gone", "like", "whose", "count" } do
  COMMANDS[#COMMANDS + 1] = { name = name }
end

describe("a bot of a business", function()
  local s, h, bot, owner, ann, connection, slow
  before_each(function()
    s = assert(sim.start { limits = false })
    slow = slow_server()
    bot = s.world:add_bot { username = "shop_bot" }
    owner, ann = s.world:add_user { first_name = "Olga" }, s.world:add_user { first_name = "Ann" }
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = {
        commands = COMMANDS, permissions = { "jobs", "telegram", "http:127.0.0.1:" .. slow.port },
        events = { "telegram.deleted_business_messages" },
        config = { type = "object", properties = { url = { type = "string" } } },
      } } },
      config = ([[return {
        telegram = { token = %q, api = %q, typing_seconds = 0.3, limits = { paced = false } },
        plugins = { talk = { url = 'http://127.0.0.1:%d/', allow_private = true } },
      }]]):format(bot.token, s:url(), slow.port),
    }
    connection = assert(s:act("business", { bot = "shop_bot", user = owner.id })).id
  end)
  after_each(function()
    h:stop()
    slow.close()
    s:close()
  end)

  local function write(text, where)
    return assert(s:act("send", { bot = "shop_bot", user = ann.id, text = text, business = where or connection }))
  end
  local function answers(where)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id), business = where }).messages) do
      if m.from == bot.user or m.sender_business_bot == bot.user then
        out[#out + 1] = m.text or m.photo and "photo"
      end
    end
    return out
  end
  local function until_answers(n, where)
    eventually(n .. " answers", function() return #answers(where or connection) >= n end)
    return answers(where or connection)
  end
  local function call_of(method)
    return eventually(method, function()
      for _, call in ipairs(s.calls) do if call.method == method then return call end end
    end)
  end

  local function dialog() return h.core.db:first("SELECT id FROM dialogs WHERE id LIKE 'tg:main:%:b%'").id end

  it("answers where the customer has written, with texts, albums and edits", function()
    write "/say hello"
    write "/album"
    write "/ask"
    local got = until_answers(4)
    assert.same({ "hello", "photo", "photo", "Which?" }, got)
    local messages = s:view("messages", { bot = "shop_bot", chat = tostring(ann.id), business = connection }).messages
    local press = { user = ann.id, business = connection, message_id = messages[#messages].message_id, button = "Tea" }
    local query = assert(s:act("press", press)).callback_query_id
    eventually("the edit", function() return answers(connection)[4] == "You have chosen tea" end)
    assert.is_true(s.world.queries[query].answered ~= nil)
    for _, call in ipairs(s.calls) do
      if call.method:find "^send" or call.method:find "^edit" then
        assert.same({ connection, 200 }, { call.params.business_connection_id, call.code }, call.method)
      end
    end
  end)

  it("shows there that it is typing", function()
    write "/slow"
    assert.same({ "slow" }, until_answers(1))
    assert.equal(connection, call_of("sendChatAction").params.business_connection_id)
  end)

  it("says there what it has to say later, also when the dialog was started anew meanwhile", function()
    write "/later"
    assert.same({ "ring" }, until_answers(1))
    local id = dialog()
    assert.equal(200, h:request("POST", "/api/v1/dialogs/" .. id .. "/reset", {}).status)
    local said = { actions = { { type = "send", text = "operator" } } }
    assert.equal(200, h:request("POST", "/api/v1/dialogs/" .. id .. "/send", said).status)
    assert.same({ "ring", "operator" }, until_answers(2))
  end)

  it("has another dialog with the same person for each business, and for the bot itself", function()
    local other = assert(s:act("business", { bot = "shop_bot", user = s.world:add_user({}).id })).id
    write "/count"
    write("/count", other)
    assert(s:act("send", { bot = "shop_bot", user = ann.id, text = "/count" }))
    write "/count"
    assert.same({ "1", "2" }, until_answers(2))
    assert.same({ "1" }, until_answers(1, other))
    eventually("its own", function() return #answers() == 1 end)
    assert.same({ "1" }, answers())
    assert.equal(3, h.core.db:first("SELECT count(*) AS n FROM dialogs WHERE id LIKE $1", ("tg:main:%d%%"):format(ann.id)).n)
  end)

  it("takes messages back there, and hears that customers do", function()
    write "/say hello"
    until_answers(1)
    write "/gone 2"
    local call = call_of "deleteBusinessMessages"
    assert.same({ connection, { 2 }, 200 }, { call.params.business_connection_id, call.params.message_ids, call.code })
    assert.same({}, answers(connection))
    s:act("update", { bot = "shop_bot", update = { deleted_business_messages = {
      business_connection_id = connection, chat = { id = ann.id, type = "private" }, message_ids = { 1, 3 },
    } } })
    assert.same({ "you took back 2" }, until_answers(1))
  end)

  it("does nothing in another chat where Telegram has no method for the business", function()
    write "/like"
    assert.same({ "liked" }, until_answers(1))
    for _, call in ipairs(s.calls) do assert.not_equal("setMessageReaction", call.method) end
  end)

  it("may ask whose business it is, and of no other one", function()
    write "/whose"
    eventually("an answer", function() return #answers(connection) == 1 end)
    assert.same({ "Olga" }, answers(connection))
  end)

  it("does not take a refusal there for a block of the bot's own chat", function()
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/say direct" })
    eventually("direct", function() return #answers() == 1 end)
    assert(s:act("faults", { kind = "status", status = 403, method = "sendMessage", times = 1 }))
    write "/say hello"
    eventually("refused", function()
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'dead'").n == 1
    end)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM chats").n)
  end)

  it("is in no broadcast", function()
    write "/say hello"
    until_answers(1)
    local id = dialog()
    local admin = h:client("adm", { "admin" })
    local given = { bot = "main", actions = { { type = "send", text = "news" } }, audience = { dialogs = { id } } }
    local r = admin("POST", "/api/v1/admin/broadcasts", given)
    assert.equal(400, r.status, r.text)
    given.audience = {}
    r = admin("POST", "/api/v1/admin/broadcasts", given)
    assert.equal(201, r.status, r.text)
    r = admin("POST", "/api/v1/admin/broadcasts/" .. r.body.id .. "/start", {})
    local function progress() return admin("GET", "/api/v1/admin/broadcasts/" .. r.body.id).body end
    eventually("its end", function() return progress().state == "done" end)
    assert.equal(0, #h.core.db:query("SELECT id FROM outbox WHERE lane = 'broadcast' AND dialog_id = $1", id))
  end)
end)

describe("the dialog of a business chat", function()
  it("has an id of its own, which fits for the longest names", function()
    local name, connection = ("n"):rep(32), ("C"):rep(128)
    local id = address.dialog(name, 2 ^ 52, nil, connection)
    assert.is_true(#id <= 64)
    local place = address.place(id)
    assert.same({ name, 2 ^ 52 }, { place.bot, place.chat_id })
    assert.truthy(place.business)
    assert.is_nil(address.place "tg:main:42:x1")
    assert.is_nil(address.place("tg:main:42").business)
    assert.equal(7, address.place("tg:main:-42:7").thread_id)
  end)

  it("names the connection in every call that can, and leaves out those that cannot", function()
    for _, method in ipairs(telegram.SENT) do
      local calls, _, left_out = render.calls({ { type = "telegram", method = method, params = {} } }, {
        dialog_id = "tg:main:42:b0123456789", place = { bot = "main", chat_id = 42, business = "0123456789" },
        key = "k", business = "C",
      })
      local call = calls[1]
      if method:find "^answer" then
        assert.is_nil(call.params.business_connection_id, method)
      elseif call then
        assert.equal("C", call.params.business_connection_id, method)
      else
        assert.same({ method }, left_out)
      end
    end
  end)
end)
