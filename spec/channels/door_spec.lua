-- Who comes in from Telegram: known, not too often, and only to what is open to them.

local access = require "parley.channels.telegram.access"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.command('who', function(c)
  c:reply(c.user.name .. ' ' .. c.user.role .. ' ' .. c.user.locale .. ' ' .. c.message.context.telegram.client_type)
end)
p.on.command('ask', function(c) c:reply { text = 'Which?', buttons = { { { text = 'Tea', data = { go = 'tea' } } } } } end)
p.on.callback({ go = 'string' }, function(c, data) c:reply('pressed ' .. data.go) end)
p.on.any(function(c, text) c:reply('said ' .. text) end)
return p
]]

describe("the door for people of Telegram", function()
  local s, h, bot, ann
  local function start(more)
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = json.array { { name = "who" }, { name = "ask" } } } } },
      config = ("return { telegram = { token = %q, api = %q, access = %s }, rate_limits = %s, fallback_plugin = 'talk' }")
        :format(bot.token, s:url(), more.access or "{}", more.rates or "{}"),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann", language_code = "uk" }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function write(text, user) return assert(s:act("send", { bot = "shop_bot", user = (user or ann).id, text = text })) end
  local function messages(user)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring((user or ann).id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m end
    end
    return out
  end
  local function answers(n, user)
    eventually(n .. " answers", function() return #messages(user) >= n end)
    local out = {}
    for i, m in ipairs(messages(user)) do out[i] = m.text end
    return out
  end
  local function row() return h.core.db:first("SELECT * FROM users WHERE telegram_id = $1", ann.id) end

  local function become(role)
    local users = h:client("bot", { "users:write" })
    assert.equal(200, users("POST", "/api/v1/users", { telegram_id = ann.id, role = role }).status)
    eventually("every worker has heard of it", function() return not h.core.telegram.users.known[ann.id] end)
  end

  it("knows people as Telegram says that they are, and roles as the host does", function()
    start {}
    write "/who"
    assert.same({ "Ann user uk tg_client" }, answers(1))
    local first = row()
    write "/who"
    answers(2)
    assert.equal(first.updated_at, row().updated_at)
    ann.first_name, ann.language_code = "Anna", "en"
    write "/who"
    assert.equal("Anna user en tg_client", answers(3)[3])
    -- An operator changes her role: no worker goes on with the one that it knows.
    become "operator"
    write "/who"
    assert.equal("Anna operator en internal", answers(4)[4])
    assert.equal(first.id, row().id)
  end)

  it("keeps the language that somebody has chosen, whatever Telegram says", function()
    start {}
    write "/who"
    answers(1)
    assert(h.core.db:commit { { "UPDATE users SET chosen_locale = 'ru'" }, { "UPDATE dialogs SET version = version + 1" } })
    ann.language_code = "en"
    write "/who"
    assert.equal("Ann user ru tg_client", answers(2)[2])
    assert.same({ "en", "ru" }, { row().locale, row().chosen_locale })
  end)

  it("takes no more of somebody than people may write, says so once, and lets others in", function()
    start { rates = "{ telegram = { requests = 5, seconds = 3600 } }" }
    for i = 1, 12 do write("hi " .. i) end
    local bob = s.world:add_user { first_name = "Bob", language_code = "en" }
    write("hello", bob)
    assert.same({ "said hello" }, answers(1, bob))
    local got = answers(6)
    table.sort(got)
    assert.same({ "said hi 1", "said hi 2", "said hi 3", "said hi 4", "said hi 5",
      "Ви пишете швидше, ніж я встигаю відповідати. Зачекайте, будь ласка, трохи." }, got)
    assert.equal(6, h:count "inbox")
    local event = h.core.db:query "SELECT details FROM audit_logs WHERE action = 'telegram_refused'"
    assert.equal(1, #event)
    assert.same({ "limited", ann.id }, { json.decode(event[1].details).reason, json.decode(event[1].details).telegram_id })
  end)

  it("lets people do what is open to their type of client, and answers the press of a button that is not", function()
    start { access = "{ tg_client = { messages = false, presses = false, commands = { 'ask' } } }" }
    write "/ask"
    answers(1)
    write "/who"
    local refused = "На жаль, тут це вам недоступно."
    assert.same({ "Which?", refused }, answers(2))
    local press = { bot = "shop_bot", user = ann.id, message_id = messages()[1].message_id, button = "Tea" }
    local query = assert(s:act("press", press)).callback_query_id
    eventually("the press is answered", function() return s.world.queries[query].answered end)
    become "admin"
    write "/who"
    assert.same({ "Which?", refused, "Ann admin uk internal" }, answers(3))
  end)

  it("tells the types of clients apart", function()
    start {}
    local person, channel = { user = { telegram_id = 1 } }, { user = { external_id = "tg-chat:-1" } }
    assert.equal("internal", access.client_type(person, { role = "operator" }))
    assert.equal("tg_client", access.client_type(person, { role = "user" }))
    assert.equal("public", access.client_type(channel))
    for policy, expected in pairs {
      [{}] = "command event callback text", [{ messages = false }] = "event callback",
      [{ messages = false, commands = { "a" } }] = "command event callback", [{ commands = { "b" } }] = "event callback text",
      [{ events = false, presses = false }] = "command text",
    } do
      local out = {}
      for _, kind in ipairs { "command", "event", "callback", "text" } do
        if access.allows(policy, { type = kind, payload = { command = "a" } }) then out[#out + 1] = kind end
      end
      assert.equal(expected, table.concat(out, " "))
    end
  end)
end)
