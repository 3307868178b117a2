-- Menus as their authors describe them: sent when they have changed, stale presses refused.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local MAIN = [[
local p = parley.plugin()
p.menu("main", function(c)
  return {
    text = "Cart: " .. (c.session.n or 0),
    rows = {
      { { text = "Add", data = { add = 1 } }, { text = "Nothing", data = { idle = true } } },
      { { text = "Tea", menu = "item", args = { name = "tea" } } },
      { { text = "Back", back = true }, { text = "Close", close = true } },
    },
  }
end)
p.menu("item", function(c, args)
  return {
    text = parley.text():bold(args.name),
    rows = { { { text = "More", menu = "more" }, { text = "Back", back = "main" } } },
  }
end)
p.menu("more", function(c) return { text = "more", rows = { { { text = "Back", back = true } } } } end)
p.on.command("shop", function(c) c:menu "main" end)
p.on.command("item", function(c) c:menu("item", { name = "milk" }) end)
p.on.command("keys", function(c, what)
  if what == "off" then return c:keyboard { text = "Gone", remove = true } end
  c:keyboard { text = "Here", rows = { { "Plain", { text = "Order", data = { order = 1 } } } } }
end)
p.on.text("^Plain$", function(c) c:reply "plain" end)
p.on.callback({ order = "int" }, function(c) c:reply "ordered" end)
p.on.callback({ add = "int" }, function(c, data)
  c.session.n = (c.session.n or 0) + data.add
  if c.session.n == 5 then c:reply "five!" end
end)
p.on.callback({ idle = "bool" }, function(c) c.session.idle = (c.session.idle or 0) + 1 end)
p.on.command("idle", function(c) c:reply(tostring(c.session.idle or 0)) end)
p.on.command("later", function(c, n) c:schedule { job = "tick", ["in"] = 60, data = { n = tonumber(n) } } end)
p.on.job("tick", function(c, data)
  c.session.n = data.n
  c:menu()
end)
p.on.command("twice", function(c) c:menu "main" c:menu("item", { name = "salt" }) end)
p.on.command("away", function(c) c:close_menu() end)
p.on.command("lost", function(c) c:menu "lost" end)
p.on.command("wrong", function(c) c:menu "wrong" end)
p.menu("wrong", function() return { text = "x", rows = { { { text = "Go", menu = "nowhere" } } } } end)
return p
]]

local COMMANDS = {}
for _, name in ipairs { "shop", "item", "keys", "idle", "later", "twice", "away", "lost", "wrong" } do
  COMMANDS[#COMMANDS + 1] = { name = name }
end

describe("a menu", function()
  local h, n = nil, 0
  setup(function()
    h = host.start { plugins = { shop = { main = MAIN, manifest = { commands = COMMANDS, permissions = { "jobs" } } } } }
  end)
  teardown(function() h:stop() end)

  local dialog
  before_each(function()
    n = n + 1
    dialog = "menu-" .. n
  end)

  local function send(message)
    message.user = { external_id = "alice" }
    local r = h:request("POST", "/api/v1/dialogs/" .. dialog .. "/messages", message)
    assert.equal(200, r.status, r.text)
    return r.body
  end
  local function say(text) return send { type = "text", text = text } end
  local function find(reply, label)
    for _, action in ipairs(reply.actions) do
      for _, row in ipairs(action.buttons or {}) do
        for _, b in ipairs(row) do if b.text == label then return b end end
      end
    end
    error("no button " .. label .. " in " .. json.encode(reply.actions))
  end
  -- Two presses of a finger are more than a second apart.
  local function press(reply, label)
    local b = find(reply, label)
    time.advance(2)
    return send { type = "callback", payload = { plugin = b.plugin, data = b.data } }
  end
  local function labels(reply)
    local out = {}
    for _, action in ipairs(reply.actions) do
      for _, row in ipairs(action.buttons or {}) do
        for _, b in ipairs(row) do out[#out + 1] = b.text end
      end
    end
    return out
  end
  local function kinds(reply)
    local out = {}
    for i, a in ipairs(reply.actions) do out[i] = a.type end
    return out
  end

  it("is shown, and again after each press, in the place of what it was", function()
    local shop = say "/shop"
    assert.equal("Cart: 0", shop.text)
    assert.same({ "Add", "Nothing", "Tea", "Close" }, labels(shop)) -- there is nothing to go back to
    assert.same({ name = "main" }, shop.actions[1].menu)
    local added = press(shop, "Add")
    assert.equal("Cart: 1", added.text)
    assert.same({ name = "main", edit = true }, added.actions[1].menu)
    assert.equal("Cart: 2", press(added, "Add").text)
  end)

  it("is not sent when nothing has changed, but to who has asked for it", function()
    local shop = say "/shop"
    assert.same({}, press(shop, "Nothing").actions)
    assert.same({}, press(shop, "Nothing").actions)
    assert.same({ name = "main" }, say("/shop").actions[1].menu)
    assert.equal("2", say("/idle").text)
  end)

  it("comes anew when something stands below it", function()
    local shop = press(press(press(press(say "/shop", "Add"), "Add"), "Add"), "Add")
    local five = press(shop, "Add")
    assert.equal("five!", five.actions[1].text)
    assert.same({ name = "main" }, five.actions[2].menu)
    say "/idle"
    assert.same({ name = "main" }, press(five, "Add").actions[1].menu)
  end)

  it("leads to others and back", function()
    local shop = say "/shop"
    local tea = press(shop, "Tea")
    assert.equal("tea", tea.text)
    assert.same({ { type = "bold", offset = 0, length = 3 } }, tea.actions[1].entities)
    local more = press(tea, "More")
    assert.equal("more", more.text)
    local back = press(more, "Back")
    assert.equal("tea", back.text)
    local main = press(back, "Back")
    assert.equal("Cart: 0", main.text)
    assert.same({ "Add", "Nothing", "Tea", "Close" }, labels(main))
    local milk = say "/item"
    assert.equal("milk", milk.text)
    assert.equal("Cart: 0", press(milk, "Back").text) -- where the author has said
  end)

  it("that is gone does nothing, says so, and shows the one there is", function()
    local old = say "/shop"
    local new = press(old, "Add")
    local late = press(old, "Add")
    assert.same({ { type = "answer_callback", text = "This menu is out of date." } }, late.actions)
    say "/idle"
    local shown = press(old, "Tea")
    assert.same({ "answer_callback", "send" }, kinds(shown))
    assert.equal("Cart: 1", shown.text)
    assert.equal("This menu is out of date.", press(new, "Add").actions[1].text)
    assert.equal("Cart: 2", press(shown, "Add").text)
  end)

  it("says so in the user's language", function()
    for locale, text in pairs { ru = "Это меню устарело.", ["uk-UA"] = "Це меню застаріло." } do
      local b = find(say "/shop", "Add")
      say "/away"
      local r = send { type = "callback", locale = locale, payload = { plugin = b.plugin, data = b.data } }
      assert.same({ { type = "answer_callback", text = text } }, r.actions)
    end
  end)

  it("acts once when it is pressed twice, whether that changes it or not", function()
    local shop = say "/shop"
    local done, said = 0, {}
    for i, label in ipairs { "Add", "Add", "Nothing", "Nothing" } do
      local b = find(shop, label)
      task.spawn(function()
        said[i] = send { type = "callback", payload = { plugin = b.plugin, data = b.data } }
        done = done + 1
      end)
      if i == 2 then
        eventually("both are answered", function() return done == 2 end)
        time.advance(2)
        shop = say "/shop"
        assert.equal("Cart: 1", shop.text)
      end
    end
    eventually("all are answered", function() return done == 4 end)
    local answered = 0
    for i = 1, 2 do answered = answered + #said[i].actions end
    assert.equal(1, answered)
    assert.equal("1", say("/idle").text)
  end)

  it("is taken away by its button, and by its plugin", function()
    local shop = say "/shop"
    local closed = press(shop, "Close")
    assert.same({ { type = "menu", close = true } }, closed.actions)
    assert.equal("shop", closed.plugin.name)
    assert.same({ { type = "answer_callback", text = "This menu is out of date." } }, press(shop, "Add").actions)
    say "/shop"
    assert.same({ { type = "menu", close = true } }, say("/away").actions)
    assert.same({}, say("/away").actions)
  end)

  it("is counted by what came of it", function()
    local function counts()
      local out = {}
      for _, result in ipairs { "sent", "edited", "unchanged", "closed", "stale", "again" } do
        out[#out + 1] = meters.menus:with(result).value
      end
      return out
    end
    local before = counts()
    local shop = press(say "/shop", "Add")
    press(shop, "Nothing")
    local b = find(shop, "Nothing")
    send { type = "callback", payload = { plugin = b.plugin, data = b.data } }
    press(shop, "Close")
    press(shop, "Add")
    local after = counts()
    for i, count in ipairs(before) do after[i] = after[i] - count end
    assert.same({ 1, 1, 1, 1, 1, 1 }, after)
  end)

  it("is the last of those that one answer shows", function()
    local r = say "/twice"
    assert.equal("salt", r.text)
    assert.equal(1, #r.actions)
  end)

  it("is brought up to date by jobs", function()
    for _, count in ipairs { 0, 7 } do say("/later " .. count) end
    local shop = say "/shop"
    time.advance(61)
    h.core.jobs:wake()
    eventually("the jobs have run", function()
      return h.core.db:first("SELECT count(*) AS n FROM jobs WHERE dialog_id = $1 AND state = 'done'", dialog).n == 2
    end)
    local messages = h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages
    local reply = messages[#messages].payload
    assert.equal(7, #messages) -- two of each message, one of the job that has changed something
    assert.same({ "Cart: 7", { name = "main", edit = true } }, { reply.actions[1].text, reply.actions[1].menu })
    assert.equal("This menu is out of date.", press(shop, "Add").actions[1].text)
    assert.equal("Cart: 8", press(reply, "Add").text)
  end)

  it("survives a restart", function()
    local shop = say "/shop"
    h:stop()
    h = host.start { home = h.home }
    assert.equal("Cart: 1", press(shop, "Add").text)
  end)

  it("with a mistake fails, and says where", function()
    assert.equal("fallback", say("/lost").status)
    assert.equal("fallback", say("/wrong").status)
    local rows = h.core.db:query("SELECT details FROM audit_logs WHERE source = 'shop' AND action = 'plugin_failed' ORDER BY id")
    assert.matches('shop/main.lua:%d+: menu: there is no p.menu%("lost", ...%)', json.decode(rows[1].details).message)
    assert.matches("menu 'wrong': the button 'Go' leads to 'nowhere'", json.decode(rows[2].details).message)
  end)

  describe("and a keyboard", function()
    it("is brought once, and its buttons are pressed by what they write", function()
      local keys = say "/keys"
      assert.same({ { { text = "Plain" }, { text = "Order" } } }, keys.actions[1].keyboard.rows)
      assert.same({}, say("/keys").actions)
      assert.equal("plain", say("Plain").text)
      assert.equal("ordered", say("Order").text)
      assert.same({ remove = true }, say("/keys off").actions[1].keyboard)
      assert.same({}, say("/keys off").actions)
      assert.equal("fallback", say("Order").status)
    end)
  end)
end)
