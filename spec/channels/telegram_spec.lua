-- Bots of Telegram in whole turns, against the simulated Telegram.

local cluster = require "parley.cluster"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local outbox = require "parley.channels.outbox"
local sim = require "parley.sim.telegram"
local task = require "host.task"

local MAIN = [[
local p = parley.plugin()
p.on.command('say', function(c, text) c:reply(text) end)
p.on.command('count', function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply(tostring(c.session.n))
end)
p.on.command('ask', function(c)
  c:reply { text = 'Which?', buttons = { { { text = 'Tea', data = { go = 'tea' } },
    { text = 'Long', data = { go = ('x'):rep(100) } }, { text = 'Say this' } } } }
end)
p.on.callback({ go = 'string' }, function(c, data)
  c:edit(c.message.payload.message_id, 'You have chosen ' .. #data.go)
end)
p.on.command('keys', function(c, what)
  local rows = { { { text = 'Tea' }, { text = 'Where I am', request = 'location' } } }
  c:reply { text = 'Here', keyboard = what == 'off' and { remove = true } or { rows = rows, persistent = true } }
end)
p.on.command('mark', function(c) c:reply { text = '**bold** & <b>no</b>', format = 'markdown' } end)
p.on.command('long', function(c) c:reply(('word '):rep(2000)) end)
p.on.command('later', function(c) c:schedule { job = 'ring', ['in'] = 0 } end)
p.on.job('ring', function(c) c:reply 'ring' end)
p.on.text('^Say this$', function(c) c:reply 'said' end)
p.on.event('telegram.message_reaction', function(c, data) c:reply(data.new_reaction[1].emoji) end)
p.on.any(function(c)
  c:reply(c.message.type .. ' ' .. tostring(c.message.payload and (c.message.payload.file_id or c.message.payload.name)))
end)
return p
]]

local COMMANDS = json.array()
for _, name in ipairs { "say", "count", "ask", "keys", "mark", "long", "later" } do
  COMMANDS[#COMMANDS + 1] = { name = name }
end

describe("a bot of Telegram", function()
  local s, h, bot, ann
  local function start(home, paced)
    return host.start {
      home = home, plugins = {
        talk = { main = MAIN, manifest = { commands = COMMANDS, permissions = { "jobs" },
          events = { "telegram.message_reaction" } } },
      },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = %s } }, fallback_plugin = 'talk' }")
        :format(bot.token, s:url(), tostring(paced == true)),
    }
  end
  before_each(function()
    s = assert(sim.start())
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann", last_name = "Lee", language_code = "uk" }
    h = start()
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function write(text, more)
    local given = { bot = "shop_bot", user = ann.id, text = text }
    for key, value in pairs(more or {}) do given[key] = value end
    return assert(s:act("send", given))
  end
  local function messages(chat)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(chat or ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m end
    end
    return out
  end
  local function answers(n, chat)
    eventually(n .. " answers", function() return #messages(chat) >= n end)
    local out = {}
    for i, m in ipairs(messages(chat)) do out[i] = m.text end
    return out
  end

  it("answers, and knows the person", function()
    write "/say@shop_bot hello 😀"
    assert.same({ "hello 😀" }, answers(1))
    local user = h.core.db:first("SELECT * FROM users WHERE telegram_id = $1", ann.id)
    assert.same({ "Ann Lee", "uk" }, { user.name, user.locale })
    local dialog = h.core.db:first "SELECT id, channel FROM dialogs"
    assert.same({ "tg:main:" .. ann.id, "telegram" }, { dialog.id, dialog.channel })
    write "/say@other_bot no"
    write "/say yes"
    assert.same({ "hello 😀", "yes" }, answers(2))
  end)

  it("keeps the order of a chat, and takes each update once", function()
    local updates = {}
    for i = 1, 60 do
      write "/count"
      updates[i] = bot.updates[bot.last]
    end
    s:act("limits", { limits = false })
    local expected = {}
    for i = 1, 60 do expected[i] = tostring(i) end
    assert.same(expected, answers(60))
    s:act("again", { bot = "shop_bot", updates = { updates[3], updates[1], updates[60] } })
    write "/count"
    expected[61] = "61"
    assert.same(expected, answers(61))
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state <> 'done'").n)
  end)

  it("drops nothing of a chat whose turns take longer than anybody else would wait, and keeps its order", function()
    s:act("limits", { limits = false })
    h.core.manager.current.config.turn_timeout_seconds = 0.2
    h.core.lanes.max = 5
    local id = "tg:main:" .. ann.id
    assert(h.core.lanes:enter(id, 1))
    for _ = 1, 20 do write "/count" end
    eventually("all of them are taken", function()
      return h.core.db:first("SELECT count(*) AS n FROM inbox").n == 20
    end)
    task.sleep(0.5)
    h.core.manager.current.config.turn_timeout_seconds = 30
    h.core.lanes:leave(id)
    local expected = {}
    for i = 1, 20 do expected[i] = tostring(i) end
    assert.same(expected, answers(20))
  end)

  if database.is_postgres then
    it("lets nothing go before what another worker has taken in the chat and not finished", function()
      write "/count"
      answers(1)
      assert(h.core.db:commit {
        {
          "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner) "
            .. "VALUES ('tg:main', '9', $1, 'open', '{}', 'x', 'x', 0, 'elsewhere/1')", "tg:main:" .. ann.id,
        },
      })
      write "/count"
      eventually("it is taken", function() return h.core.db:first("SELECT count(*) AS n FROM inbox").n == 3 end)
      task.sleep(0.3)
      assert.equal(1, #messages())
      assert(h.core.db:commit { { "UPDATE inbox SET state = 'done' WHERE key = '9'" } })
      assert.same({ "1", "2" }, answers(2))
    end)

    it("finishes first what counts before, also when that was taken later", function()
      write "/count"
      answers(1)
      local function take(key, text, at)
        return assert(h.core.turn:accept {
          {
            source = "tg:main", key = key, dialog_id = "tg:main:" .. ann.id, trace_id = ("a"):rep(32), received_at = at,
            message = {
              user = { telegram_id = ann.id }, channel = "telegram", type = "command", text = text, message_id = key,
            },
          },
        })[1]
      end
      local second, first = take("90", "/say second", 1), take("89", "/say first", 2)
      assert(h.core.turn:resume(second))
      assert(h.core.turn:resume(first))
      assert.same({ "1", "first", "second" }, answers(3))
    end)
  end

  it("confirms updates that come once more, and out of order", function()
    for i = 1, 3 do write("/say " .. i) end
    local updates = { bot.updates[bot.last - 1], bot.updates[bot.last - 2] }
    assert.same({ "1", "2", "3" }, answers(3))
    s:act("again", { bot = "shop_bot", updates = updates })
    write "/say 4"
    s:act("again", { bot = "shop_bot", updates = updates })
    assert.same({ "1", "2", "3", "4" }, answers(4))
    eventually("nothing is brought any more", function() return bot.last < bot.first end)
  end)

  it("has its buttons pressed, long data and plain ones too, and answers each press", function()
    write "/ask"
    answers(1)
    local message = messages()[1]
    local row = message.reply_markup.inline_keyboard[1]
    for _, b in ipairs(row) do assert.is_true(#b.callback_data <= 64) end
    local function press(given)
      given.bot, given.user, given.message_id = "shop_bot", ann.id, message.message_id
      local query = assert(s:act("press", given)).callback_query_id
      eventually("the press is answered", function() return s.world.queries[query].answered end)
    end
    press { button = "Tea" }
    eventually("the message is edited", function() return messages()[1].text == "You have chosen 3" end)
    press { stale = row[2].callback_data }
    eventually("the message is edited", function() return messages()[1].text == "You have chosen 100" end)
    press { stale = row[3].callback_data }
    assert.same({ "You have chosen 100", "said" }, answers(2))
    -- Made up, and of another chat: nothing of it reaches the plugin.
    press { stale = row[1].callback_data:gsub("tea", "pot") }
    assert.is_nil(messages()[1].text:find "pot")
  end)

  it("brings buttons in the place of the keyboard, and takes them away", function()
    local function keyboard()
      return s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).keyboard
    end
    write "/keys"
    answers(1)
    assert.same({
      keyboard = { { { text = "Tea" }, { text = "Where I am", request_location = true } } }, is_persistent = true,
      resize_keyboard = true,
    }, keyboard())
    write "/keys off"
    answers(2)
    assert.is_nil(keyboard())
  end)

  it("sends entities, never markup, and long texts in pieces", function()
    write "/mark"
    answers(1)
    assert.equal("bold & <b>no</b>", messages()[1].text)
    assert.same({ { type = "bold", offset = 0, length = 4 } }, messages()[1].entities)
    write "/long"
    answers(4)
    local said = answers(4)
    assert.equal((("word "):rep(2000):gsub(" $", "")), table.concat(said, " ", 2))
  end)

  it("gets what is no text, and every other kind of update whole", function()
    write "/say hi"
    write(nil, { photo = { file_name = "a.jpg" } })
    assert.matches("^photo SIM%-FILE%-", answers(2)[2])
    s:act("react", { bot = "shop_bot", user = ann.id, message_id = 1, emoji = "👍" })
    assert.equal("👍", answers(3)[3])
  end)

  it("delivers what a job says", function()
    write "/later"
    assert.same({ "ring" }, answers(1))
  end)

  it("waits when it is asked to, in that chat only, and loses nothing", function()
    local bob = s.world:add_user {}
    for i = 1, 7 do write("/say " .. i) end
    answers(5)
    write("/say bob", { user = bob.id })
    assert.same({ "bob" }, answers(1, bob.id))
    s:act("limits", { limits = false })
    assert.same({ "1", "2", "3", "4", "5", "6", "7" }, answers(7))
  end)

  it("tries again after failures, and sets aside what cannot be delivered", function()
    write "/say one"
    answers(1)
    s:act("faults", { kind = "status", status = 502, method = "sendMessage", times = 2 })
    write "/say two"
    assert.same({ "one", "two" }, answers(2))
    s:act("faults", { kind = "status", status = 400, method = "sendMessage" })
    write "/say bad"
    write "/say three"
    assert.same({ "one", "two", "three" }, answers(3))
    local letter = h.core.db:first "SELECT payload, error FROM dead_letters"
    assert.equal("bad", json.decode(letter.payload).params.text)
    assert.equal("bad_request", json.decode(letter.error).code)
  end)

  it("repeats a reply of which nothing was heard, and says so", function()
    write "/say one"
    answers(1)
    s:act("faults", { kind = "lost", method = "sendMessage" })
    write "/say two"
    assert.same({ "one", "two", "two" }, answers(3))
    eventually("it is noted", function()
      return h.core.db:first "SELECT 1 AS x FROM outbox WHERE params LIKE '%two%' AND uncertain = 1 AND state = 'sent'"
    end)
    assert.truthy(h.core.db:first "SELECT id FROM audit_logs WHERE action = 'delivery_repeated'")
  end)

  it("remembers who has blocked it, and follows a group that has moved", function()
    write "/say one"
    answers(1)
    s:act("faults", { kind = "slow", seconds = 0.3, method = "sendMessage" })
    write "/say two"
    s:act("block", { bot = "shop_bot", user = ann.id })
    eventually("it is noted", function() return h.core.db:first "SELECT state FROM chats" end)
    assert.equal("blocked", h.core.db:first("SELECT state FROM chats").state)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
    local group = s:act("chats", { users = { ann.id }, bots = { "shop_bot" } })
    s:act("faults", { kind = "slow", seconds = 0.3, method = "sendMessage" })
    s:act("send", { user = ann.id, chat = group.id, text = "/say moved" })
    task.sleep(0.1)
    local super = s:act("migrate", { chat = group.id }).chat
    assert.equal("moved", answers(1, super)[1])
  end)

  it("sends what was stored by a commit of which the host has heard nothing, once", function()
    write "/say one"
    answers(1)
    local db, lost = h.core.db, 0
    h.core.turn.db = setmetatable({
      commit = function(_, statements)
        local ok, err = db:commit(statements)
        for _, statement in ipairs(statements) do
          if ok and lost == 0 and statement[1]:find "^INSERT INTO outbox" then
            lost = 1
            return nil, { code = "connection", message = "lost", retryable = true, op = "postgres" }
          end
        end
        return ok, err
      end,
    }, { __index = function(_, name) return function(_, ...) return db[name](db, ...) end end })
    write "/say two"
    assert.same({ "one", "two" }, answers(2))
    assert.equal(1, lost)
    write "/say three"
    assert.same({ "one", "two", "three" }, answers(3))
    eventually("all is noted", function()
      return db:first("SELECT count(*) AS n FROM outbox WHERE state = 'sent'").n == 3
    end)
  end)

  it("is not slowed down by Telegram, because it keeps to what is known", function()
    h:stop()
    h = start(nil, true)
    local people = { ann }
    for i = 2, 6 do people[i] = s.world:add_user {} end
    for i = 1, 6 do
      for _, user in ipairs(people) do write("/say " .. i, { user = user.id }) end
    end
    for _, user in ipairs(people) do assert.same({ "1", "2", "3", "4", "5", "6" }, answers(6, user.id)) end
    assert.is_nil(s.counts["sendMessage 429"])
  end)

  it("does not try what nobody has asked for where it is blocked, until the block is taken back", function()
    write "/say one"
    answers(1)
    local function tell(text)
      local d = outbox.deliveries("tg:main", { dialog = { id = "tg:main:" .. ann.id }, trace_id = "t" },
        { { method = "sendMessage", lane = "operator", params = { chat_id = ann.id, text = text } } })[1]
      assert(h.core.db:commit { outbox.insert({ d }, 1), cluster.bump "outbox" })
      return eventually("its end", function()
        local row = h.core.db:first("SELECT state, error FROM outbox WHERE id = $1", d.id)
        return row.state ~= "open" and row
      end)
    end
    s:act("block", { bot = "shop_bot", user = ann.id })
    assert.equal("blocked", json.decode(tell("news").error).code)
    local calls = s.counts["sendMessage 403"]
    assert.equal("blocked", json.decode(tell("more news").error).code)
    assert.equal(calls, s.counts["sendMessage 403"])
    s:act("block", { bot = "shop_bot", user = ann.id, blocked = false })
    eventually("it is known", function() return not h.core.db:first "SELECT 1 AS x FROM chats" end)
    assert.equal("sent", tell("good news").state)
  end)

  it("goes on after a crash with what it has taken and with what it has to say", function()
    write "/say one"
    answers(1)
    local db = h.core.db
    assert(db:commit {
      {
        "INSERT INTO outbox (id, sender, dialog_id, lane, method, params, state, attempts, trace_id, created_at) "
          .. "VALUES ('01', 'tg:main', $1, 'reply', 'sendMessage', $2, 'open', 0, 't', 1)",
        "tg:main:" .. ann.id, json.encode { chat_id = ann.id, text = "left" },
      },
      {
        "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner) "
          .. "VALUES ('tg:main', '7', $1, 'open', $2, 'x', $3, 1, $4)",
        "tg:main:" .. ann.id, json.encode {
          user = { telegram_id = ann.id }, channel = "telegram", type = "command", text = "/say taken", message_id = "7",
        }, ("a"):rep(32), h.core.cluster.id,
      },
    })
    local home = h.home
    h:stop()
    h = start(home)
    local got = answers(3)
    table.sort(got)
    assert.same({ "left", "one", "taken" }, got)
  end)
end)
