-- The language of a user: what they have chosen goes before what their channel, or a message, says.

local fs = require "host.fs"
local host = require "spec.support.host"

local MAIN = [[
local p = parley.plugin()
p.on.command("lang", function(c, locale)
  c:set_locale(locale ~= "" and locale or nil)
  c:reply(c:t "hello")
end)
p.on.command("hello", function(c) c:reply(c:t "hello" .. " " .. c.locale) end)
p.on.command("wrong", function(c) c:set_locale "klingon language" end)
return p
]]

describe("the language of a user", function()
  local h
  setup(function()
    h = host.start { plugins = { greeter = {
      main = MAIN, manifest = { commands = { { name = "lang" }, { name = "hello" }, { name = "wrong" } } },
      files = {
        ["locales/en.json"] = '{ "hello": "Hello" }', ["locales/ru.json"] = '{ "hello": "Привет" }',
        ["locales/uk.json"] = '{ "hello": "Вітаю" }',
      },
    } } }
  end)
  teardown(function() h:stop() end)

  local function ask(dialog, text, user, locale)
    local r = h:say(dialog, text, { user = { external_id = user, locale = "ru" }, locale = locale })
    assert.equal(200, r.status, r.text)
    return r.body.text
  end

  it("is that of the channel, or of the message, until another one is chosen", function()
    assert.equal("Привет ru", ask("a", "/hello", "ann"))
    assert.equal("Hello en-GB", ask("a", "/hello", "ann", "en-GB"))
    assert.equal("Вітаю", ask("a", "/lang uk", "ann"))
    assert.equal("Вітаю uk", ask("a", "/hello", "ann"))
    assert.equal("Вітаю uk", ask("a", "/hello", "ann", "en-GB"))
  end)

  it("is the same in all dialogs of the user, also in those that have been read before", function()
    assert.same({ "Привет ru", "Привет ru" }, { ask("b1", "/hello", "bob"), ask("b2", "/hello", "bob") })
    ask("b1", "/lang uk", "bob")
    assert.same({ "Вітаю uk", "Вітаю uk" }, { ask("b2", "/hello", "bob"), ask("b1", "/hello", "bob") })
    assert.equal("Привет ru", ask("c", "/hello", "carol"))
  end)

  it("stays when the channel says another one, and goes when it is taken back", function()
    ask("d", "/lang uk", "dan")
    local r = h:request("POST", "/api/v1/users", { external_id = "dan", locale = "en" })
    assert.equal(200, r.status, r.text)
    assert.equal("Вітаю uk", ask("d", "/hello", "dan"))
    assert.equal("uk", h:request("GET", "/api/v1/dialogs/d").body.dialog.user.locale)
    ask("d", "/lang", "dan")
    assert.equal("Hello en", ask("d", "/hello", "dan"))
  end)

  it("is what a rule says only for those who have chosen none", function()
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/rules.lua", "return { { match = { text = '^/hello' }, route = { locale = 'en' } } }"))
    assert(h.core:reload())
    assert.equal("Hello en", ask("f", "/hello", "eve"))
    ask("f", "/lang uk", "eve")
    assert.equal("Вітаю uk", ask("f", "/hello", "eve"))
  end)

  it("is refused at the author's line when it is none", function()
    assert.equal("fallback", h:say("e", "/wrong").body.status)
    local row = h.core.db:first "SELECT details FROM audit_logs WHERE source = 'greeter' AND action = 'plugin_failed'"
    assert.matches("main.lua:7: set_locale: a locale like", row.details)
  end)
end)
