-- The simulator of Telegram says what the Bot API says (https://core.telegram.org/bots/api).

local eventually = require "spec.support.eventually"
local http = require "host.http_client"
local http_server = require "host.http_server"
local json = require "host.json"
local sim = require "parley.sim.telegram"
local task = require "host.task"

describe("the simulated Telegram", function()
  local s, bot, ann
  before_each(function()
    s = assert(sim.start { webhook_timeout = 1, webhook_pause_max = 0.2 })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann" }
  end)
  after_each(function() s:close() end)

  local function raw(method, params, token)
    return http.request {
      method = "POST", url = ("%s/bot%s/%s"):format(s:url(), token or bot.token, method), allow_private = true,
      headers = { ["Content-Type"] = "application/json", Connection = "close" }, body = json.encode(params or {}),
      timeout = 5,
    }
  end
  local function call(method, params, token)
    local r = assert(raw(method, params, token))
    local reply = assert(json.decode(r.body))
    assert.equal(reply.ok and 200 or reply.error_code, r.status)
    return reply.result, reply
  end
  local function refused(description, method, params, token)
    local _, reply = call(method, params, token)
    assert.is_false(reply.ok)
    assert.equal(description, reply.description)
    return reply
  end
  local function write(text, more)
    local given = { bot = "shop_bot", user = ann.id, text = text }
    for key, value in pairs(more or {}) do given[key] = value end
    return assert(s:act("send", given))
  end

  it("knows its bots by their tokens", function()
    assert.equal("shop_bot", call("getMe").username)
    assert.equal("shop_bot", call("GETME").username)
    refused("Unauthorized", "getMe", {}, "7:wrong")
    refused("Not Found", "makeCoffee")
  end)

  it("takes parameters from the query, a form and several parts", function()
    write "hi"
    local url = ("%s/bot%s/sendMessage"):format(s:url(), bot.token)
    local function send(url_, type, body)
      return json.decode(assert(http.request {
        method = "POST", url = url_, body = body, headers = { ["Content-Type"] = type }, allow_private = true,
      }).body)
    end
    assert.equal("a b", send(url .. "?chat_id=" .. ann.id .. "&text=a%20b", "text/plain", "").result.text)
    assert.equal("c+d", send(url, "application/x-www-form-urlencoded", "chat_id=" .. ann.id .. "&text=c%2Bd").result.text)
    local parts = table.concat({
      "--X", 'Content-Disposition: form-data; name="chat_id"', "", ann.id, "--X",
      'Content-Disposition: form-data; name="document"; filename="a.txt"', "Content-Type: text/plain", "", "one", "two",
      "--X--", "",
    }, "\r\n")
    local document = send(url:gsub("sendMessage", "sendDocument"), "multipart/form-data; boundary=X", parts).result.document
    assert.same({ "a.txt", 8 }, { document.file_name, document.file_size })
    local path = call("getFile", { file_id = document.file_id }).file_path
    assert.equal("one\r\ntwo", http.request {
      url = ("%s/file/bot%s/%s"):format(s:url(), bot.token, path), allow_private = true,
    }.body)
  end)

  it("gives updates once, in order, until their offset is confirmed", function()
    write "/start deep-link"
    write "two"
    local got = call("getUpdates", { offset = 0 })
    assert.same({ "/start deep-link", "two" }, { got[1].message.text, got[2].message.text })
    assert.same({ { type = "bot_command", offset = 0, length = 6 } }, got[1].message.entities)
    assert.equal(got[1].update_id + 1, got[2].update_id)
    assert.equal(1, #call("getUpdates", { limit = 1 }))
    assert.same({ got[2] }, call("getUpdates", { offset = got[2].update_id }))
    assert.same({}, call("getUpdates", { offset = got[2].update_id + 1 }))
    assert.same({}, call("getUpdates", { offset = 0 }))
  end)

  it("holds a poll until there is something, and sends the older of two pollers away", function()
    local first = task.spawn(function() return call("getUpdates", { timeout = 30 }) end)
    task.sleep(0.05)
    local second = task.spawn(function() return call("getUpdates", { timeout = 30 }) end)
    local _, _, reply = first:join(60)
    assert.equal(409, reply.error_code)
    assert.matches("^Conflict: terminated by other getUpdates request", reply.description)
    write "hello"
    local _, updates = second:join(60)
    assert.equal("hello", updates[1].message.text)
  end)

  it("writes to those only who have written before and have not blocked the bot", function()
    local bob = s.world:add_user {}
    refused("Bad Request: chat not found", "sendMessage", { chat_id = 5, text = "x" })
    refused("Forbidden: bot can't initiate conversation with a user", "sendMessage", { chat_id = bob.id, text = "x" })
    write "hi"
    assert.equal(2, call("sendMessage", { chat_id = ann.id, text = "x" }).message_id)
    assert(s:act("block", { bot = "shop_bot", user = ann.id }))
    refused("Forbidden: bot was blocked by the user", "sendMessage", { chat_id = ann.id, text = "x" })
    local updates = call "getUpdates"
    assert.equal("kicked", updates[2].my_chat_member.new_chat_member.status)
    local group = s:act("chats", { users = { ann.id }, bots = { "shop_bot" } })
    assert.truthy(call("sendMessage", { chat_id = group.id, text = "x" }))
    local super = s:act("migrate", { chat = group.id }).chat
    local reply = refused("Bad Request: group chat was upgraded to a supergroup chat", "sendMessage",
      { chat_id = group.id, text = "x" })
    assert.same({ migrate_to_chat_id = super }, reply.parameters)
    assert.truthy(call("sendMessage", { chat_id = super, text = "x" }))
  end)

  it("checks texts, entities and keyboards", function()
    write "hi"
    local function send(p)
      p.chat_id = ann.id
      return "sendMessage", p
    end
    refused("Bad Request: message text is empty", send { text = " " })
    refused("Bad Request: message is too long", send { text = ("😀"):rep(2049) })
    refused("Bad Request: can't parse entities: entity begins or ends in the middle of a character, or outside of "
      .. "the text, at 1 + 1", send { text = "😀a", entities = { { type = "bold", offset = 1, length = 1 } } })
    assert.truthy(call(send { text = ("😀"):rep(2048), entities = { { type = "bold", offset = 2, length = 2 } } }))
    local function keyboard(button) return { text = "x", reply_markup = { inline_keyboard = { { button } } } } end
    refused("Bad Request: BUTTON_DATA_INVALID", send(keyboard { text = "a", callback_data = ("x"):rep(65) }))
    refused("Bad Request: text buttons must have exactly one of the optional fields", send(keyboard { text = "a" }))
    refused("Bad Request: message to be replied not found", send { text = "x", reply_parameters = { message_id = 99 } })
  end)

  it("edits what is the bot's and is changed by it", function()
    write "hi"
    local id = call("sendMessage", { chat_id = ann.id, text = "one" }).message_id
    local function edit(text, message_id)
      return "editMessageText", { chat_id = ann.id, message_id = message_id or id, text = text }
    end
    assert.equal("two", call(edit "two").text)
    refused("Bad Request: message is not modified: specified new message content and reply markup are exactly the "
      .. "same as a current content and reply markup of the message", edit "two")
    refused("Bad Request: message can't be edited", edit("x", 1))
    assert.is_true(call("deleteMessage", { chat_id = ann.id, message_id = id }))
    refused("Bad Request: message to edit not found", edit "x")
    refused("Bad Request: message to delete not found", "deleteMessage", { chat_id = ann.id, message_id = id })
  end)

  it("lets buttons be pressed, and answered once", function()
    write "hi"
    local id = call("sendMessage", {
      chat_id = ann.id, text = "?", reply_markup = { inline_keyboard = { { { text = "Yes", callback_data = "y" } } } },
    }).message_id
    assert(s:act("press", { bot = "shop_bot", user = ann.id, message_id = id, button = "Yes" }))
    local updates = call("getUpdates")
    local query = updates[#updates].callback_query
    assert.same({ "y", id, ann.id }, { query.data, query.message.message_id, query.from.id })
    assert.is_true(call("answerCallbackQuery", { callback_query_id = query.id, text = "noted" }))
    refused("Bad Request: query is too old and response timeout expired or query ID is invalid", "answerCallbackQuery",
      { callback_query_id = query.id })
    assert.is_nil(s:act("press", { bot = "shop_bot", user = ann.id, message_id = id, button = "No" }))
  end)

  it("lets a bot with privacy hear in a group what is for it", function()
    local group = s:act("chats", { users = { ann.id }, bots = { "shop_bot" } })
    for text, heard in pairs {
      ["hello all"] = 0, ["/go"] = 1, ["/go@shop_bot"] = 1, ["/go@other_bot"] = 0, ["hey @shop_bot"] = 1,
    } do
      assert.equal(heard, #s:act("send", { user = ann.id, chat = group.id, text = text }).update_ids, text)
    end
    local said = call("sendMessage", { chat_id = group.id, text = "?" })
    assert.equal(1, #s:act("send", { user = ann.id, chat = group.id, text = "yes", reply_to = said.message_id }).update_ids)
  end)

  it("slows down who writes too much, chat by chat", function()
    write "hi"
    local bob = s.world:add_user {}
    write("hi", { user = bob.id })
    local reply
    for _ = 1, 10 do
      _, reply = call("sendMessage", { chat_id = ann.id, text = "x" })
      if not reply.ok then break end
    end
    assert.equal(429, reply.error_code)
    assert.equal("Too Many Requests: retry after " .. reply.parameters.retry_after, reply.description)
    assert.truthy(call("sendMessage", { chat_id = bob.id, text = "x" }))
    s:act("limits", { limits = false })
    for _ = 1, 40 do assert.truthy(call("sendMessage", { chat_id = ann.id, text = "x" })) end
  end)

  it("misbehaves as it is told, and no longer", function()
    write "hi"
    local send = { chat_id = ann.id, text = "x" }
    local function sent() return #s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages end
    local function next_call(fault)
      assert(s:act("faults", fault))
      local before = sent()
      local r = raw("sendMessage", send)
      return r and r.status, sent() - before, r and json.decode(r.body)
    end
    local status, n, reply = next_call { kind = "status", status = 429, retry_after = 3 }
    assert.same({ 429, 0, 3 }, { status, n, reply.parameters.retry_after })
    assert.same({ 502, 0 }, { next_call { kind = "status", status = 502 }, 0 })
    assert.same({ nil, 0 }, { next_call { kind = "reset" } })
    local lost, did = next_call { kind = "lost" }
    assert.same({ "nil", 1 }, { tostring(lost), did })
    local cut, done = next_call { kind = "truncated" }
    assert.same({ "nil", 1 }, { tostring(cut), done })
    status, n, reply = next_call { kind = "garbage", method = "sendMessage" }
    assert.same({ 200, 0, nil }, { status, n, reply })
    assert.equal(200, (next_call { kind = "status", status = 500, method = "getMe" }))
    assert.equal(200, (next_call { kind = "status", status = 500, bot = "other" }))
    assert.is_nil(s:act("faults", { kind = "moody" }))
    s:act "calm"
    assert.equal(200, raw("getMe").status)
  end)

  it("says in Telegram's words why a webhook gets nothing", function()
    local silent = assert(http_server.listen({ port = 0 }, function() task.sleep(60) end))
    local plain = "https://127.0.0.1:" .. silent:port()
    write "one"
    for url, said in pairs {
      ["http://127.0.0.1:1/x"] = "^Connection refused$", [plain .. "/x"] = "^SSL error {",
      ["http://nowhere.invalid/x"] = "^Failed to resolve host: Name or service not known$",
      ["http://127.0.0.1:" .. silent:port() .. "/x"] = "^Read timeout expired$",
    } do
      s.webhooks.timeout = 0.5
      assert.is_true(call("setWebhook", { url = url }))
      eventually(said, function() return (call("getWebhookInfo").last_error_message or ""):find(said) end)
    end
    call "deleteWebhook"
    silent:close()
  end)

  it("names what a fault answers by its status", function()
    for status, said in pairs {
      [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [429] = "Too Many Requests: retry after 3",
      [500] = "Internal Server Error", [502] = "Bad Gateway",
    } do
      s:act("faults", { kind = "status", status = status, retry_after = status == 429 and 3 or nil, method = "getMe" })
      assert.equal(said, json.decode(raw("getMe").body).description)
    end
  end)

  it("brings updates to a webhook with its secret, in order, until it takes them", function()
    local got, refuse = {}, 2
    local server = assert(http_server.listen({ port = 0 }, function(req)
      local update = json.decode(req:body())
      got[#got + 1] = { req:header "x-telegram-bot-api-secret-token", update.message.text }
      refuse = refuse - 1
      req:respond(refuse >= 0 and 500 or 200, "", "")
    end))
    write "one"
    assert.is_true(call("setWebhook", {
      url = "http://127.0.0.1:" .. server:port() .. "/x", secret_token = "S-1", max_connections = 1,
    }))
    write "two"
    eventually("all four", function() return #got == 4 and call("getWebhookInfo").pending_update_count == 0 end)
    assert.same({ { "S-1", "one" }, { "S-1", "one" }, { "S-1", "one" }, { "S-1", "two" } }, got)
    assert.equal("Wrong response from the webhook: 500 Internal Server Error", call("getWebhookInfo").last_error_message)
    refused("Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook "
      .. "first", "getUpdates")
    call "deleteWebhook"
    assert.same({}, call "getUpdates")
    server:close()
  end)

  it("gives every kind of update, and those that need asking for when asked", function()
    write "hi"
    assert.equal(0, #s:act("react", { bot = "shop_bot", user = ann.id, message_id = 1, emoji = "👍" }).update_ids)
    call("getUpdates", { allowed_updates = { "message", "message_reaction", "inline_query" } })
    assert.equal(1, #s:act("react", { bot = "shop_bot", user = ann.id, message_id = 1, emoji = "👍" }).update_ids)
    s:act("update", { bot = "shop_bot", update = { inline_query = { from = ann, query = "tea", offset = "" } } })
    local updates = call "getUpdates"
    assert.equal("👍", updates[2].message_reaction.new_reaction[1].emoji)
    assert.equal("tea", updates[3].inline_query.query)
    assert.is_true(call("answerInlineQuery", { inline_query_id = updates[3].inline_query.id, results = json.array() }))
    local album = s:act("album", { bot = "shop_bot", user = ann.id, items = { { photo = {} }, { photo = {}, caption = "b" } } })
    assert.equal(album.messages[1].message.media_group_id, album.messages[2].message.media_group_id)
  end)

  it("can be steered over HTTP, and watched", function()
    local function steer(method, path, body)
      local r = http.request {
        method = method, url = s:url() .. "/sim/" .. path, body = body and json.encode(body), allow_private = true,
        headers = { ["Content-Type"] = "application/json" }, timeout = 10,
      }
      return json.decode(r.body), r.status
    end
    local eve = steer("POST", "users", { first_name = "Eve" })
    local watcher = task.spawn(function() return steer("GET", "events?after=0&timeout=5") end)
    steer("POST", "send", { bot = "shop_bot", user = eve.id, text = "from afar" })
    local _, seen = watcher:join(6)
    assert.equal("from afar", seen.events[1].message.text)
    call("sendMessage", { chat_id = eve.id, text = "back" })
    assert.equal("back", steer("GET", "messages?bot=shop_bot&chat=" .. eve.id).messages[2].text)
    assert.equal(1, #steer("GET", "calls?method=sendMessage").calls)
    local problem, status = steer("POST", "send", { bot = "nobody", user = eve.id })
    assert.same({ "there is no bot 'nobody'", 400 }, { problem.error, status })
    assert.equal(404, select(2, steer("POST", "nothing", {})))
  end)
end)
