-- Options of handlers: data that the host carries out.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"

local MAIN = [[
local p = parley.plugin()
p.on.command("slow", { limit = "2/h" }, function(c)
  c:reply { text = "done", buttons = { { { text = "b", data = { b = 1 } } } } }
end)
p.on.command("quick", { limit = "1/s" }, function(c) c:reply "done" end)
p.on.command("room", { limit = "1/d", by = "dialog", limited = function(c, s) c:reply("later: " .. tostring(s > 80000)) end },
  function(c) c:reply "done" end)
p.on.callback({ b = "int" }, { limit = "1/10m" }, function(c) c:answer "pressed" end)
p.on.command("staff", { role = { "admin", "operator" }, typing = true }, function(c) c:reply "secret" end)
p.on.any({ limit = "1/m" }, function(c) c:reply "any" end)
return p
]]

local COMMANDS = { { name = "slow" }, { name = "quick" }, { name = "room" }, { name = "staff" } }

for _, ring in ipairs { "trusted", "isolated" } do
  describe("an option of a handler in the " .. ring .. " ring", function()
    local h
    setup(function()
      h = host.start {
        config = ("return { plugin_ring = '%s' }"):format(ring),
        plugins = { opt = { main = MAIN, manifest = { commands = COMMANDS, patterns = { "^any" } } } },
      }
    end)
    teardown(function() h:stop() end)

    local function say(text, dialog, who, locale)
      return h:say(dialog or "d", text, { user = { external_id = who or "ann" }, locale = locale }).body
    end

    it("keeps a user from coming too often, in all dialogs, and says so in their language", function()
      assert.equal("done", say("/slow", "d").text)
      assert.equal("done", say("/slow", "e").text)
      for locale, word in pairs { en = "try again in 60 min", ru = "через 60 мин", uk = "спробуйте за 60 хв" } do
        local r = say("/slow", "d", nil, locale)
        assert.matches(word, r.text)
        assert.equal("answered", r.status)
      end
      assert.equal("done", say("/slow", "x", "bob").text)
    end)

    it("lets them come again when its time is over", function()
      assert.equal("done", say("/quick", "q").text)
      eventually("another time", function() return say("/quick", "q").text == "done" end)
    end)

    it("may count by dialog, and say it in the plugin's own words", function()
      assert.equal("done", say("/room", "r1", "ann").text)
      assert.equal("later: true", say("/room", "r1", "bob").text)
      assert.equal("done", say("/room", "r2", "ann").text)
    end)

    it("tells who presses a button too often there", function()
      local function press()
        local r = h:say("p", nil, {
          user = { external_id = "presser" }, type = "callback", payload = { plugin = "opt", data = { b = 1 } },
        }).body
        return r.actions[1].type .. " " .. r.actions[1].text
      end
      assert.equal("answer_callback pressed", press())
      assert.matches("^answer_callback Not so fast", press())
    end)

    it("says who the handler is for: the next plugin is asked for others", function()
      assert.equal("fallback", say("/staff", "s", "carol").status)
      local u = h:request("POST", "/api/v1/users", { external_id = "boss", role = "operator" })
      assert.is_true(u.status < 300, u.text)
      local r = say("/staff", "s2", "boss")
      assert.equal("secret", r.text)
    end)

    it("counts each handler on its own", function()
      assert.equal("any", say("any one", "a", "dan").text)
      assert.matches("^Not so fast", say("any two", "a", "dan").text)
      assert.equal("done", say("/slow", "a", "dan").text)
    end)
  end)
end

describe("an option of a handler", function()
  local h
  setup(function() h = host.start {} end)
  teardown(function() h:stop() end)

  -- What a reload says of a plugin with one handler in its second line.
  local function refused(handler)
    local main = "local p = parley.plugin()\n" .. handler .. "\nreturn p"
    h:write_plugin("opt", { main = main, manifest = { commands = json.array {} } })
    local ok, err = h.core:reload()
    assert.is_nil(ok)
    return err.message
  end

  for options, message in pairs {
    ["{ limt = '2/s' }"] = "on.command 'x': there is no field 'limt'. Did you mean 'limit'?",
    ["{ admin = true }"] = "on.command 'x': there is no field 'admin'; there are: by, limit, limited, role, typing",
    ["{ limit = 2 }"] = "on.command 'x': limit: a string expected, got a number",
    ["{ limit = '2 per second' }"] =
      "on.command 'x': limit: a text like \"2/s\", \"10/m\", \"100/h\" or \"3/20s\" expected, got '2 per second'",
    ["{ limit = '0/s' }"] = "expected, got '0/s'",
    ["{ limit = '2/s', by = 'chat' }"] = "on.command 'x': by: user or dialog expected, got 'chat'",
    ["{ by = 'dialog' }"] = "on.command 'x': by and limited say more of a limit, and there is none: limit = \"2/s\"",
    ["{ role = 'amdin' }"] =
      "on.command 'x': role: user, operator or admin expected, or a list of them, got 'amdin'. Did you mean 'admin'?",
    ["{ typing = 'yes' }"] = "on.command 'x': typing: a boolean expected, got a string",
    ["'admin'"] = "on.command 'x': a table of options expected, got string",
  } do
    it("that is wrong is refused with its line: " .. options, function()
      local text = refused(("p.on.command('x', %s, function() end)"):format(options))
      assert.is_truthy(text:find("main.lua:2: ", 1, true), text)
      assert.is_truthy(text:find(message, 1, true), text)
    end)
  end

  it("limits nobody where nobody comes", function()
    assert.matches("main.lua:2: on.job 'x': limit: there is nobody who could come too often",
      refused "p.on.job('x', { limit = '1/s' }, function() end)")
  end)
end)
