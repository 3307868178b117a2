-- What only Telegram has: inline queries, payments, reactions, and methods without an action.

local actions = require "parley.schema.actions"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.event('telegram.inline_query', function(c, query)
  c:answer_inline({ { title = 'Tea', text = '**' .. query.query .. '**', format = 'markdown' },
    { type = 'photo', id = 'x', photo_url = 'https://x.example/1.jpg', thumbnail_url = 'https://x.example/t.jpg' } },
    { cache_seconds = 0, personal = true })
end)
p.on.event('telegram.pre_checkout_query', function(c, query)
  c:answer_checkout(query.total_amount < 1000 or 'Too much')
end)
p.on.command('like', function(c) c:react '👍' end)
p.on.command('dice', function(c) c:telegram('forwardMessage', { chat_id = 1, from_chat_id = 99, message_id = 1 }) end)
p.on.command('who', function(c)
  local member, err = c:ask_telegram('getChatMember', { user_id = 5, chat_id = 99 })
  c:reply(member and member.user.first_name .. ' ' .. member.status or err.code .. ' ' .. err.message)
end)
p.on.command('caption', function(c) c:reply { photo = { url = 'https://x.example/1.jpg' }, text = 'before' } end)
p.on.command('edit', function(c, id) c:edit(id, 'after') end)
p.on.event('telegram.callback_query', function(c, query)
  c:answer 'seen'
  c:telegram('editMessageText', { inline_message_id = query.inline_message_id, chat_id = 99, text = 'chosen' })
end)
p.on.command('try', function(c, method)
  local ok, err = c:ask_telegram(method, { photo = 'file:///etc/passwd' })
  c:reply(err.code .. ' ' .. err.message)
end)
return p
]]

local COMMANDS = json.array()
for _, name in ipairs { "like", "dice", "who", "caption", "edit", "try" } do COMMANDS[#COMMANDS + 1] = { name = name } end

describe("a bot of Telegram", function()
  local s, h, bot, ann
  local function start(permissions)
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = COMMANDS, permissions = permissions or { "telegram" },
        events = { "telegram.inline_query", "telegram.pre_checkout_query", "telegram.callback_query" } } } },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk' }")
        :format(bot.token, s:url()),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { id = 5, first_name = "Ann" }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function write(text) assert(s:act("send", { bot = "shop_bot", user = ann.id, text = text })) end
  local function call_of(method)
    return eventually(method, function()
      for _, call in ipairs(s.calls) do if call.method == method then return call end end
    end)
  end
  local function last_text()
    return eventually("an answer", function()
      local list = s:view("messages", { bot = "shop_bot", chat = "5" }).messages
      local last = list[#list]
      return last and last.from == bot.user and last.text
    end)
  end
  local function query(kind, value)
    value.id, value.from = "q1", ann
    s.world.queries.q1 = { bot = bot, at = s.world.clock() }
    assert(s:act("update", { bot = "shop_bot", update = { [kind] = value } }))
  end

  it("answers inline queries with articles, and with results of any kind", function()
    start()
    query("inline_query", { query = "green", offset = "" })
    local call = call_of "answerInlineQuery"
    assert.same({ 200, "q1", 0, true },
      { call.code, call.params.inline_query_id, call.params.cache_time, call.params.is_personal })
    assert.same({
      type = "article", id = "1", title = "Tea", input_message_content = {
        message_text = "green", entities = { { type = "bold", offset = 0, length = 5 } },
      },
    }, call.params.results[1])
    assert.equal("https://x.example/1.jpg", call.params.results[2].photo_url)
  end)

  it("hears of presses of what an inline query has sent, and edits it", function()
    start()
    query("callback_query", { inline_message_id = "in-1", chat_instance = "1", data = "?" })
    assert.same({ "seen", 200 }, { call_of("answerCallbackQuery").params.text, call_of("answerCallbackQuery").code })
    assert.same({ inline_message_id = "in-1", text = "chosen" }, call_of("editMessageText").params)
  end)

  it("lets a payment go on, or says why not", function()
    start()
    query("pre_checkout_query", { currency = "UAH", total_amount = 100, invoice_payload = "p" })
    assert.is_true(call_of("answerPreCheckoutQuery").params.ok)
  end)

  it("refuses a payment in words", function()
    start()
    query("pre_checkout_query", { currency = "UAH", total_amount = 5000, invoice_payload = "p" })
    local params = call_of("answerPreCheckoutQuery").params
    assert.same({ false, "Too much" }, { params.ok, params.error_message })
  end)

  it("reacts to what has come", function()
    start()
    write "/like"
    local params = call_of("setMessageReaction").params
    assert.same({ 1, { { type = "emoji", emoji = "👍" } } }, { params.message_id, params.reaction })
  end)

  it("calls methods that have no action, in its own chat only", function()
    start()
    write "/dice"
    local params = call_of("forwardMessage").params
    assert.same({ 5, 5 }, { params.chat_id, params.from_chat_id })
    write "/who"
    assert.equal("Ann member", last_text())
  end)

  it("calls none that are the host's, and names no file of a server", function()
    start()
    write "/try deleteWebhook"
    assert.matches("^invalid telegram: 'deleteWebhook' cannot be asked", last_text())
    write "/try getChat"
    eventually("another answer", function() return last_text():find "no file" end)
  end)

  it("needs a permission for them", function()
    start { "kv" }
    write "/who"
    assert.matches("^permission .*'telegram'", last_text())
  end)

  it("edits the caption of a photo as its text", function()
    start()
    write "/caption"
    local message = eventually("a photo", function()
      return s:view("messages", { bot = "shop_bot", chat = "5" }).messages[2]
    end)
    write("/edit " .. message.message_id)
    eventually("it is edited", function() return message.caption == "after" end)
  end)
end)

describe("an action of Telegram", function()
  it("is one of those that a plugin may use", function()
    local function problem(method, params) return actions.problem { type = "telegram", method = method, params = params } end
    assert.is_nil(problem("sendDice", { emoji = "🎲" }))
    assert.matches("^method", problem("setWebhook", {}))
    assert.matches("^method", problem("sendMessage", {}))
    assert.matches("no file", problem("sendSticker", { sticker = "FILE:///etc/passwd" }))
    assert.matches("no file", problem("editMessageMedia", { media = { { media = "attach://x" } } }))
  end)

  it("names files by address or by id, never by a path", function()
    local function problem(photo) return actions.problem { type = "send", photo = photo } end
    assert.is_nil(problem { url = "https://x.example/1.png" })
    assert.is_nil(problem { id = "AgACAgIAAxkBAAI" })
    assert.is_nil(problem { file = "abc" })
    assert.matches("^photo/url", problem { url = "file:///etc/passwd" })
    assert.matches("^photo/id", problem { id = "file:///etc/passwd" })
  end)

  it("has albums of what goes together", function()
    local function problem(...) return actions.problem { type = "send", album = { ... } } end
    local photo, video, document = { photo = { id = "1" } }, { video = { id = "2" } }, { document = { id = "3" } }
    assert.is_nil(problem(photo, video))
    assert.matches("go together", problem(photo, document))
    assert.matches("one medium", problem(photo, { text = "x" }))
    assert.matches("^album", problem(photo))
  end)
end)
