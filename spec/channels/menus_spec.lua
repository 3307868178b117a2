-- Menus and keyboards as people see them in Telegram.

local broadcasts = require "parley.broadcasts"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.menu("main", function(c)
  return {
    text = "Cart: " .. (c.session.n or 0),
    rows = { { { text = "Add", data = { add = 1 } }, { text = "Tea", menu = "item", args = { name = "tea" } } } },
  }
end)
p.menu("item", function(c, args) return { text = args.name, rows = { { { text = "Back", back = true } } } } end)
p.on.command("shop", function(c) c:menu "main" end)
p.on.command("say", function(c, text) c:reply(text) end)
p.on.command("keys", function(c, what)
  if what == "off" then return c:keyboard { text = "Gone", remove = true } end
  c:keyboard { text = "Here: " .. what, rows = { { { text = "Add " .. what, data = { add = 1 } } } } }
end)
p.on.callback({ add = "int" }, function(c, data)
  c.session.n = (c.session.n or 0) + data.add
  if c.message.payload.key then c:reply("Added, " .. c.session.n) end
end)
return p
]]

local COMMANDS = { { name = "shop" }, { name = "say" }, { name = "keys" } }

describe("a menu in Telegram", function()
  local s, h, bot, ann
  local function start(home)
    return host.start {
      home = home, plugins = { shop = { main = MAIN, manifest = { commands = COMMANDS } } },
      config = ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url()),
    }
  end
  before_each(function()
    s = assert(sim.start())
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann", language_code = "uk" }
    s:act("limits", { limits = false })
    h = start()
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function write(text) return assert(s:act("send", { bot = "shop_bot", user = ann.id, text = text })) end
  local function view() return s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }) end
  local function from_bot()
    local out = {}
    for _, m in ipairs(view().messages) do
      if m.from == bot.user then out[#out + 1] = m end
    end
    return out
  end
  local function texts()
    local out = {}
    for i, m in ipairs(from_bot()) do out[i] = m.text end
    return out
  end
  local function shows(...)
    local wanted = { ... }
    local function same()
      local now = texts()
      if #now ~= #wanted then return false end
      for i, text in ipairs(wanted) do if now[i] ~= text then return false end end
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'open'").n == 0
    end
    local good = pcall(eventually, "the messages", same)
    assert.same(wanted, texts())
    assert.is_true(good)
  end
  local function data_of(m, label)
    for _, row in ipairs(m.reply_markup.inline_keyboard) do
      for _, b in ipairs(row) do if b.text == label then return b.callback_data end end
    end
  end
  -- Presses a button as it is, or was; gives what is answered.
  local function press(m, label, data)
    local after = s.world.last_event or 0
    local given = { bot = "shop_bot", user = ann.id, message_id = m.message_id, stale = data or data_of(m, label) }
    local query = assert(s:act("press", given)).callback_query_id
    eventually("the press is answered", function() return s.world.queries[query].answered end)
    for _, call in ipairs(s:view("calls", { after = "0", method = "answerCallbackQuery" }).calls) do
      if call.params.callback_query_id == query then return call.params.text, after end
    end
  end
  local function sends()
    local n = {}
    for _, method in ipairs { "sendMessage", "editMessageText", "deleteMessage" } do
      n[#n + 1] = #s:view("calls", { after = "0", method = method }).calls
    end
    return n
  end
  local function later(seconds) require "host.time".advance(seconds or 2) end

  it("comes anew below a broadcast that has come since, and the one above it goes", function()
    write "/shop"
    shows "Cart: 0"
    local id = assert(broadcasts.create(h.core.db, {
      bot = "main", locale = "en", actions = { { type = "send", text = "news" } },
    }, { by = "spec" })).id
    assert(broadcasts.start(h.core.db, id, { by = "spec" }))
    shows("Cart: 0", "news")
    press(from_bot()[1], "Add")
    shows("news", "Cart: 1")
    later()
    press(from_bot()[2], "Add")
    shows("news", "Cart: 2")
  end)

  it("is one message, which is edited while it is the last one", function()
    write "/shop"
    shows "Cart: 0"
    local menu = from_bot()[1]
    press(menu, "Add")
    shows "Cart: 1"
    press(from_bot()[1], "Tea")
    shows "tea"
    press(from_bot()[1], "Back")
    shows "Cart: 1"
    assert.equal(menu.message_id, from_bot()[1].message_id)
    assert.same({ 1, 3, 0 }, sends())
  end)

  it("comes anew, and the old one goes, when something stands below it", function()
    write "/shop"
    shows "Cart: 0"
    local first = from_bot()[1]
    write "/say hello"
    shows("Cart: 0", "hello")
    press(first, "Add")
    shows("hello", "Cart: 1")
    write "/shop"
    eventually("it is sent again", function() return sends()[3] == 2 end)
    shows("hello", "Cart: 1")
    assert.same({ 4, 0, 2 }, sends())
  end)

  it("loses its buttons when it is too old to be deleted, and a new one comes", function()
    write "/shop"
    shows "Cart: 0"
    later(49 * 3600)
    write "/shop"
    eventually("the buttons go", function() return not from_bot()[1].reply_markup end)
    shows("Cart: 0", "Cart: 0")
    assert.truthy(from_bot()[2].reply_markup)
    press(from_bot()[2], "Add")
    shows("Cart: 0", "Cart: 1")
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("is sent anew when the person has deleted it", function()
    write "/shop"
    shows "Cart: 0"
    local menu = from_bot()[1]
    local data = data_of(menu, "Add")
    local kept = { message_id = menu.message_id, reply_markup = menu.reply_markup }
    s.world:remove(s.world.chats[bot.user.id .. ":" .. ann.id], menu.message_id)
    s:act("update", { bot = "shop_bot", update = { callback_query = {
      id = "q1", from = ann, data = data, chat_instance = "1",
      message = { message_id = kept.message_id, date = 1, chat = { id = ann.id, type = "private" } },
    } } })
    shows "Cart: 1"
    press(from_bot()[1], "Add")
    shows "Cart: 2"
    assert.equal(1, #from_bot())
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("that is stale acts no more, says so, and goes", function()
    write "/shop"
    shows "Cart: 0"
    local first = from_bot()[1]
    local data = data_of(first, "Add")
    assert.is_nil(press(first, "Add"))
    shows "Cart: 1"
    later()
    assert.equal("Це меню застаріло.", press(first, "Add", data)) -- of the same message, as it was
    shows "Cart: 1"
    h:request("POST", "/api/v1/dialogs/tg:main:" .. ann.id .. "/reset", {})
    assert.equal("Це меню застаріло.", press(from_bot()[1], "Add"))
    shows()
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("acts once when it is pressed twice", function()
    write "/shop"
    shows "Cart: 0"
    local menu = from_bot()[1]
    local data = data_of(menu, "Add")
    local queries = {}
    for i = 1, 2 do
      queries[i] = assert(s:act("press", { bot = "shop_bot", user = ann.id, message_id = menu.message_id, stale = data }))
    end
    for _, query in ipairs(queries) do
      eventually("it is answered", function() return s.world.queries[query.callback_query_id].answered end)
    end
    shows "Cart: 1"
  end)

  it("stays when another of its buttons is pressed before it has changed under the finger", function()
    write "/shop"
    shows "Cart: 0"
    local menu = from_bot()[1]
    local add, tea = data_of(menu, "Add"), data_of(menu, "Tea")
    s:act("faults", { kind = "slow", seconds = 0.3, method = "editMessageText" })
    s:act("press", { bot = "shop_bot", user = ann.id, message_id = menu.message_id, stale = add })
    assert.equal("Це меню застаріло.", press(menu, "Tea", tea))
    shows "Cart: 1"
    assert.same({ 1, 1, 0 }, sends())
  end)

  it("is found again after a restart", function()
    write "/shop"
    shows "Cart: 0"
    h:stop()
    h = start(h.home)
    press(from_bot()[1], "Add")
    shows "Cart: 1"
    assert.same({ 1, 1, 0 }, sends())
  end)

  it("of the plugin language changes the language, whatever their app says from then on", function()
    write "/language"
    shows "Мова: українська"
    press(from_bot()[1], "Русский")
    shows "Язык: русский"
    assert.equal("uk", h.core.db:first("SELECT locale FROM users WHERE telegram_id = $1", ann.id).locale)
    write "/say и дальше"
    shows("Язык: русский", "и дальше")
    write "/reset"
    shows("и дальше", "Диалог начат заново.")
  end)

  it("goes when the person starts anew, and the keyboard too", function()
    write "/keys tea"
    write "/shop"
    shows("Here: tea", "Cart: 0")
    write "оновити діалог"
    shows "Діалог розпочато заново."
    assert.is_nil(view().keyboard)
    write "/shop"
    shows("Діалог розпочато заново.", "Cart: 0")
  end)

  it("and the keyboard: one message brings it, until it changes", function()
    write "/keys tea"
    shows "Here: tea"
    assert.equal("Add tea", view().keyboard.keyboard[1][1].text)
    write "/keys tea"
    write "Add tea"
    shows("Here: tea", "Added, 1")
    write "/keys milk"
    shows("Added, 1", "Here: milk")
    assert.equal("Add milk", view().keyboard.keyboard[1][1].text)
    write "/keys off"
    shows("Added, 1", "Gone")
    assert.is_nil(view().keyboard)
  end)
end)
