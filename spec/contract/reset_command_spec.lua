-- The command that starts a dialog anew, in three languages, whatever plugins there are.

local host = require "spec.support.host"
local json = require "host.json"

local MAIN = [[
local p = parley.plugin()
p.menu("main", function() return { text = "menu", rows = { { { text = "Go", data = { go = 1 } } } } } end)
p.on.command("count", function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply(tostring(c.session.n))
end)
p.on.command("ask", function(c)
  c:enter "asked"
  c:keyboard { text = "Which?", rows = { { "Tea" } } }
  c:menu "main"
end)
p.on.state("asked", function(c) c:reply "heard" end)
p.on.command("reset", function(c) c:reply "mine" end)
p.on.callback({ go = "int" }, function(c) c:reply "gone" end)
p.on.any(function(c) c:reply "any" end)
return p
]]

local PLUGINS = { shop = { main = MAIN, manifest = {
  commands = { { name = "count" }, { name = "ask" }, { name = "reset" } }, patterns = { "." }, priority = 1000,
} } }

describe("the command that starts a dialog anew", function()
  local h
  setup(function() h = host.start { plugins = PLUGINS } end)
  teardown(function() h:stop() end)

  local function ask(dialog, text, locale)
    local r = h:say(dialog, text, { locale = locale })
    assert.equal(200, r.status, r.text)
    return r.body
  end

  it("is known in three languages, and answered in the user's", function()
    for i, case in ipairs {
      { "/reset", "en", "The dialog starts anew." }, { "Reset dialog", "en", "The dialog starts anew." },
      { "/reset now", "en", "The dialog starts anew." }, { " обновить  ДИАЛОГ! ", "ru", "Диалог начат заново." },
      { "Обновить диалог", "ru-RU", "Диалог начат заново." }, { "оновити діалог", "uk", "Діалог розпочато заново." },
    } do
      local dialog = "words-" .. i
      assert.same({ "1", "2" }, { ask(dialog, "/count").text, ask(dialog, "/count").text })
      local r = ask(dialog, case[1], case[2])
      assert.same({ "reset", 1, case[3] }, { r.status, r.reset_version, r.text })
      assert.equal("1", ask(dialog, "/count").text)
    end
    for _, text in ipairs { "/resets", "/reset_all", "reset", "reset my dialog", "обновить" } do
      assert.equal("any", ask("others", text).text, text)
    end
  end)

  it("ends the conversation, the menu and the keyboard, and keeps the rows", function()
    local asked = ask("all", "/ask")
    local button = asked.actions[2].buttons[1][1]
    local r = ask("all", "/reset")
    assert.same({
      { type = "menu", close = true }, { type = "send", text = "The dialog starts anew.", keyboard = { remove = true } },
    }, r.actions)
    assert.equal("any", ask("all", "hello").text)
    local pressed = h:request("POST", "/api/v1/dialogs/all/messages", {
      user = { external_id = "alice" }, type = "callback", payload = { plugin = button.plugin, data = button.data },
    }).body
    assert.equal("This menu is out of date.", pressed.actions[1].text)
    local snapshot = h:request("GET", "/api/v1/dialogs/all").body
    assert.equal("hello", snapshot.messages[1].payload.text)
    local rows = h.core.db:query("SELECT reset_version FROM messages WHERE dialog_id = 'all' ORDER BY id")
    local versions = {}
    for i, row in ipairs(rows) do versions[i] = row.reset_version end
    assert.same({ 0, 0, 0, 0, 1, 1, 1, 1 }, versions)
    local event = h.core.db:first("SELECT details FROM audit_logs WHERE action = 'dialog_reset' AND trace_id = $1", r.trace_id)
    assert.same({ dialog_id = "all", reason = "command" }, json.decode(event.details))
  end)

  it("may be the first message, and comes twice without harm", function()
    local function reset() return ask("first", "/reset") end
    assert.same({ 1, 2 }, { reset().reset_version, reset().reset_version })
    local twice = {}
    for i = 1, 2 do twice[i] = h:say("first", "/reset", { message_id = "same" }).body.reset_version end
    assert.same({ 3, 3 }, twice)
  end)

  it("is a plugin's when the configuration says so", function()
    local other = host.start { plugins = PLUGINS, config = "return { reset_command = false }" }
    assert.equal("mine", other:say("d", "/reset").body.text)
    assert.equal("any", other:say("d", "reset dialog").body.text)
    other:stop()
  end)
end)
