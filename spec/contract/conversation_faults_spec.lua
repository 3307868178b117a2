-- What happens to a conversation in the middle: its plugin goes and comes, its dialog is reset, another one begins, its
-- state is closed between two questions, answers are of any kind and size.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local time = require "host.time"

local COMMANDS = json.array { { name = "talk", description = "t" } }

local function talk(body) return ([[
  local p = parley.plugin()
  p.on.command("talk", function(c, text) c:enter("talk", { text = text }) end)
  p.conversation("talk", function(c, args) %s end)
  return p]]):format(body) end

local THREE = talk [[
  local a = c:ask "one?"
  local b = c:ask "two?"
  c:reply(a .. " " .. b .. " " .. c:ask "three?")]]

local SIDE = [[
  local p = parley.plugin()
  p.on.command("side", function(c) c:enter "side" end)
  p.conversation("side", function(c) c:reply("side " .. c:ask "side?") end)
  return p]]

for _, ring in ipairs { "trusted", "isolated" } do
  describe("a conversation in the " .. ring .. " ring", function()
    local h
    local function start(main, more)
      h = host.start {
        config = ("return { plugin_ring = '%s', plugins_memory_mb = 1000 }"):format(ring),
        plugins = {
          room = { main = main, manifest = { commands = COMMANDS, permissions = json.array { "kv" } } },
          side = more and { main = SIDE, manifest = { commands = json.array { { name = "side", description = "s" } } } } or nil,
        },
      }
    end
    after_each(function() h:stop() end)

    local function say(text, more) return h:say("d", text, more).body.text end
    local function send(message)
      message.user = { external_id = "alice" }
      return h:request("POST", "/api/v1/dialogs/d/messages", message).body
    end
    local function room() return h.core.manager.current.chooser.by_name.room end
    local function kept() return h:request("GET", "/api/v1/dialogs/d").body.dialog.state.room end

    it("goes on when its state was closed between all questions", function()
      start(THREE)
      say "/talk"
      room().driver:forget_state()
      assert.equal("two?", say "a")
      room().driver:forget_state()
      assert.equal("three?", say "b")
      room().driver:forget_state()
      assert.equal("a b c", say "c")
    end)

    it("waits while its plugin is disabled, and goes on when it is enabled", function()
      start(THREE)
      local admin = h:client("adm", { "admin" })
      say "/talk" say "a"
      assert.equal(200, admin("POST", "/api/v1/admin/plugins/room/disable", {}).status)
      assert.equal("fallback", h:say("d", "b").body.status)
      assert.equal(200, admin("POST", "/api/v1/admin/plugins/room/enable", {}).status)
      assert.equal("three?", say "b")
      assert.equal("a b c", say "c")
    end)

    it("ends when its dialog is reset, also for its buttons", function()
      start(talk "c:reply(c:confirm 'sure?' and 'yes' or 'no') c:ask 'x?'")
      local button = h:say("d", "/talk").body.actions[1].buttons[1][1]
      assert.equal(200, h:request("POST", "/api/v1/dialogs/d/reset", "{}").status)
      local r = send { type = "callback", payload = { plugin = "room", data = button.data } }
      assert.same({ "answer_callback", "This question was answered before." }, { r.actions[1].type, r.actions[1].text })
      assert.equal("fallback", h:say("d", "yes").body.status)
    end)

    it("is gone on with after that of another plugin, which was begun in its middle", function()
      start(THREE, true)
      say "/talk" say "a"
      assert.equal("side?", say "/side")
      assert.equal("side x", say "x")
      assert.equal("three?", say "b")
      assert.equal("side?", say "/side")
      assert.equal("Cancelled.", say "cancel")
      assert.equal("a b c", say "c")
      assert.equal("fallback", h:say("d", "nobody waits").body.status)
    end)

    it("is not in the way of another plugin when it has begun anew, or is over", function()
      start(THREE, true)
      say "/side" say "/talk" say "/side"
      assert.equal("side x", say "x")
      assert.equal("two?", say "a")
      say "/cancel"
      assert.equal("fallback", h:say("d", "nobody waits").body.status)
    end)

    it("sees the message that it has begun with, and each answer, the same whenever it is run again", function()
      start(talk [[
        local first = c.message.text .. c.event.type
        local m = c:ask("photo?", { any = true })
        local seen = m.type .. m.payload.file_id .. #(m.payload.items or {}) .. tostring(m.context) .. tostring(c.message == m)
          .. c.event.type
        local more = c:ask "more?"
        c:reply(first .. " " .. seen .. " " .. more)
        c:ask "end?"
        c:reply(first .. " " .. seen .. " " .. more)]])
      say "/talk x"
      assert.equal("more?", send {
        type = "photo", text = "hi", context = { a = 1 },
        payload = { file_id = "f1", items = { { type = "photo" }, { type = "photo" } } },
      }.text)
      assert.equal("/talk xtext photof12niltruephoto y\n\nend?", say "y")
      assert.equal("/talk xtext photof12niltruephoto y", say "z")
    end)

    it("asks again when an answer is too long, and keeps no more of it than it needs", function()
      start(talk "local a = c:ask 'words?' local m = c:ask('all?', { any = true }) c:reply(#a .. ' ' .. #m.text)")
      say "/talk"
      assert.equal("Please write a few words.", say(("ж"):rep(16000)))
      assert.is_true(#json.encode(kept()) < 6000)
      assert.equal("all?", say "short")
      assert.equal("That is too long for me. Please send less.", say(("ж"):rep(16000)))
      assert.equal("5 10000", say(("x"):rep(10000)))
    end)

    it("ends with a clear error when it has kept too much", function()
      start(talk "for i = 1, 1e6 do c:ask('question ' .. i, { as = 'int' }) end")
      say "/talk"
      local long, n, text = ("1"):rep(4000), 0
      repeat
        n = n + 1
        text = say(long)
      until text:find "begin again" or n == 50
      assert.equal("Something has changed here, and we have to begin again. Sorry!", text)
      assert.is_true(n > 5)
      assert.is_nil(kept())
    end)

    it("comes to the end of its time after the host was down by then", function()
      start(talk "local a, err = c:ask('quick?', { timeout = 60 }) c:reply(a or err) c:ask 'then?' c:reply 'end'")
      say "/talk"
      h:stop()
      time.advance(3000)
      h = host.start { home = h.home }
      eventually("its end", function()
        local messages = h:request("GET", "/api/v1/dialogs/d").body.messages
        local last = messages[#messages].payload.actions
        return last and last[1].text == "timeout" and last[2].text == "then?"
      end)
      assert.equal("end", say "ok")
    end)

    it("says why it has no CPU left", function()
      start(talk "c:ask 'one?' local n = 0 while true do n = n + 1 end")
      say "/talk" say "a"
      local row = h.core.db:first [[SELECT details FROM audit_logs WHERE details LIKE '%"code":"cpu_limit"%']]
      assert.matches("used more CPU time than its limit: a conversation is run again from its beginning with each answer",
        json.decode(row.details).message)
      assert.equal("Cancelled.", say "/cancel")
    end)

    it("says with an error how far it was", function()
      start(talk "c:ask 'one?' local n = tonumber(c:ask 'two?') c:reply('is ' .. n + 1)")
      say "/talk" say "a"
      assert.equal("fallback", h:say("d", "b").body.status)
      local row = h.core.db:first [[SELECT details FROM audit_logs WHERE details LIKE '%"code":"exception"%' ORDER BY id DESC]]
      assert.matches("room/main.lua:3: attempt to perform arithmetic on local 'n' %(a nil value%) "
        .. "%(conversation 'talk', after the answer to 'ask two%?'%)", json.decode(row.details).message)
      assert.equal("is 6", say "5")
    end)
  end)
end
