-- Conversations: straight-line code that waits for people, over restarts and new versions. Those that are killed are
-- in spec/process/conversation_kill_spec.lua.

local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local task = require "host.task"

local BOOKING = [[
local p = parley.plugin()
p.on.command("book", function(c, what) c:reply "Welcome" c:enter("book", { what = what }) end)
p.on.command("hint", function(c) c:reply "hint" end)
p.conversation("book", function(c, args)
  local name = c:ask "Your name?"
  local n = c:ask("How many?", { as = "int", min = 1, max = 9 })
  local day = c:ask(("Which day, %s?"):format(name), { as = "date" })
  local kind = c:choose("Which room?", { "Small", { text = "Large", value = "xl" } })
  c.kv:set("last", name)
  if not c:confirm("Sure?") then return c:reply "Then not." end
  c.session.booked = (c.session.booked or 0) + 1
  c:reply(("%s: %d on %s, %s, %s, %d"):format(name, n, day, kind, args.what, c.session.booked))
end)
return p
]]

-- A plugin with the conversation "talk", which /talk begins.
local function talk(body, options, before)
  return ([[
    local p = parley.plugin()
    %s
    p.on.command("book", function(c, text) c:enter("talk", { text = text }) end)
    p.on.command("hint", function(c) c:reply "hint" end)
    p.conversation("talk", %s, function(c, args) %s end)
    return p]]):format(before or "", options or "{}", body)
end

local COMMANDS = { { name = "book", description = "b" }, { name = "hint", description = "h" } }

for _, ring in ipairs { "trusted", "isolated" } do
  describe("a conversation in the " .. ring .. " ring", function()
    local h
    local function start(source, more, config)
      local manifest = { commands = COMMANDS, permissions = { "kv", "jobs", "events" } }
      for key, value in pairs(more or {}) do manifest[key] = value end
      h = host.start {
        plugins = { room = { main = source, manifest = manifest } },
        config = ("return { plugin_ring = '%s', plugins_memory_mb = 1000, plugins = { room = { %s } } }"):format(ring,
          config or ""),
      }
    end
    after_each(function() h:stop() end)

    local function say(text, dialog, user)
      return h:say(dialog or "d", text, user and { user = user }).body.text
    end
    local function press(b, dialog)
      return h:say(dialog or "d", nil, { type = "callback", payload = { data = b.data, plugin = b.plugin } }).body
    end
    local function buttons(body)
      local out = {}
      for _, action in ipairs(body.actions) do
        for _, row in ipairs(action.buttons or {}) do
          for _, b in ipairs(row) do out[b.text] = b end
        end
      end
      return out
    end
    local function session(dialog) return h:request("GET", "/api/v1/dialogs/" .. (dialog or "d")).body.dialog.state.room end

    it("asks one question after the other, and knows all answers", function()
      start(BOOKING)
      assert.equal("Welcome\n\nYour name?", say "/book tea")
      assert.equal("How many?", say "Ann")
      assert.equal("Please give a whole number.", say "many")
      assert.equal("Please give at most 9.", say "10")
      assert.equal("Which day, Ann?", say "2")
      assert.equal("Please give a date, like 24.12.2030.", say "31.02.2031")
      local room = h:say("d", "28.02.2031").body
      assert.equal("Which room?", room.text)
      assert.equal("Sure?", press(buttons(room).Large).text)
      assert.equal("Ann: 2 on 2031-02-28, xl, tea, 1", say "yes")
      assert.same({ booked = 1 }, session())
      say "/book coffee" say "Bob" say "1" say "2031-03-01" say "1"
      assert.equal("Then not.", say "NO")
      assert.same({ booked = 1 }, session())
    end)

    it("is one for each dialog", function()
      start(BOOKING)
      say "/book a" say("/book b", "e")
      say "Ann" say("Bob", "e")
      assert.equal("Which day, Ann?", say "1")
      assert.equal("Which day, Bob?", say("2", "e"))
    end)

    it("does what it does once, however often it is run again", function()
      local asked = 0
      local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req)
        asked = asked + 1
        req:respond(200, "Content-Type: application/json\r\n", ('{"n":%d}'):format(asked))
      end))
      start(talk([[
        c:reply "once"
        local r = c.http:get(args.text)
        c:emit("seen", { n = r.json.n })
        local at, dice, id = os.time(), math.random(1000000), parley.uuid()
        local got, missing = c.kv:get "nothing"
        c.log:info "here"
        local first = c:ask "first?"
        r.json.n = r.json.n + 1 -- what it got is its own
        local second = c:ask "second?"
        c:reply(("%d %s %s %s"):format(r.json.n, first, second,
          tostring(at <= os.time() and at == args.at or true)))
        c.session.out = { at = at, dice = dice, id = id, dice2 = math.random(1000000) }
        c:ask "third?"
        c:reply(("%s %s"):format(c.session.out.dice == dice, c.session.out.id == id))
      ]]), { permissions = { "kv", "events", "http:127.0.0.1:" .. server:port() } }, "allow_private = true")
      assert.equal("once\n\nfirst?", say(("/book http://127.0.0.1:%d/"):format(server:port())))
      assert.equal("second?", say "a")
      assert.equal("2 a b true\n\nthird?", say "b")
      local kept = session().out
      assert.equal("true true", say "c")
      assert.equal(1, asked)
      assert.is_true(kept.dice ~= kept.dice2)
      assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM plugin_events WHERE event_type = 'seen'").n)
      server:close()
    end)

    it("sees time as it was then", function()
      start(talk [[
        local times = {}
        for i = 1, 3 do times[i] = os.time() c:ask(tostring(i)) end
        times[4] = os.time()
        c:reply(table.concat(times, " "))
      ]])
      say "/book"
      local before = { session().__talk.ms }
      for i = 2, 3 do
        say "on"
        before[i] = session().__talk.log[i - 1].ms
      end
      local times = {}
      for t in say("on"):gmatch "%d+" do times[#times + 1] = tonumber(t) end
      for i = 1, 3 do assert.equal(math.floor(before[i] / 1000), times[i]) end
    end)

    it("is ended by a word, in the user's language", function()
      start(BOOKING)
      local locales = { en = { "Cancel ", "Cancelled." }, ru = { "ОТМЕНА", "Отменено." }, uk = { "скасувати", "Скасовано." } }
      for locale, case in pairs(locales) do
        local user = { external_id = "u-" .. locale, locale = locale }
        for _, word in ipairs { case[1], "/cancel" } do
          say("/book x", locale, user)
          assert.equal(case[2], say(word, locale, user))
          assert.is_nil(session(locale))
        end
      end
      h:stop()
      start(talk("c:ask 'what?'", "{ cancel = { 'stop' }, cancelled = function(c) c:reply 'as you like' end }"))
      say "/book"
      assert.equal("as you like", say "Stop")
      h:stop()
      start(talk("c:reply('got ' .. c:ask 'what?')", "{ cancel = false }"))
      say "/book"
      assert.equal("got cancel", say "cancel")
    end)

    it("lets the commands of its plugin be given meanwhile", function()
      start(BOOKING)
      say "/book x"
      assert.equal("hint", say "/hint")
      assert.equal("How many?", say "Ann")
      assert.equal("Welcome\n\nYour name?", say "/book y") -- begins anew
      say "Ann" say "1" say "1.1.2031"
      assert.equal("Sure?", say "small")
      assert.matches("y, 1$", say "y" and say "yes")
    end)

    it("takes a press on an old question for nothing", function()
      start(BOOKING)
      say "/book x" say "Ann" say "1"
      local room = h:say("d", "1.1.2031").body
      local sure = press(buttons(room).Small)
      assert.equal("Sure?", sure.text)
      local late = press(buttons(room).Large)
      assert.same({ "answer_callback", "This question was answered before." }, { late.actions[1].type, late.actions[1].text })
      assert.matches("small", press(buttons(sure).Yes).text:lower())
      assert.equal("answer_callback", press(buttons(sure).Yes).actions[1].type)
    end)

    it("leaves buttons alone that the plugin has made itself, whatever they bring back", function()
      start(talk("c:reply('got ' .. c:ask 'what?')", nil,
        "p.on.callback({ talk = 'string' }, function(c, data) c:reply('pressed ' .. data.talk) end)"))
      say "/book"
      assert.equal("pressed b", press({ data = { talk = "b" }, plugin = "room" }).text)
      assert.equal("got it", say "it")
    end)

    it("goes by no code that its plugin has made up in the session", function()
      start(talk("c:ask 'what?'", nil, [[
        p.on.callback({ forge = "string" }, function(c, data)
          c.session.__talk = { bundle = data.forge == "n" and 5 or data.forge == "t" and { 1 } or data.forge }
          c:reply "forged"
        end)]]))
      for _, forged in ipairs { "n", "t", "../../x", ("g"):rep(64) } do
        for _ = 1, 2 do assert.equal("forged", press({ data = { forge = forged }, plugin = "room" }).text) end
      end
    end)

    it("goes on after a restart", function()
      start(BOOKING)
      say "/book x" say "Ann"
      h:stop()
      h = host.start { home = h.home }
      assert.equal("Which day, Ann?", say "3")
    end)

    it("stays where it was when its code fails", function()
      start(talk [[
        local n = c:ask("n?", { as = "int" })
        if n == 0 then error "no zeros" end
        c:reply("n is " .. n)
      ]])
      say "/book"
      assert.equal("fallback", h:say("d", "0").body.status)
      assert.equal("n is 4", say "4")
    end)

    it("may hand its failure to p.on.error", function()
      start(talk("c:ask 'n?' error 'oops'", nil,
        "p.on.error(function(c, err) c:reply('sorry: ' .. err.message:match 'oops') end)"))
      say "/book"
      assert.equal("sorry: oops", say "1")
    end)

    it("has its time, after which it goes on by itself", function()
      start(talk [[
        local answer, err = c:ask("quick?", { timeout = 0.2 })
        c:reply(answer and "in time" or err)
        c:wait(0.2)
        c:reply "later"
      ]])
      local function texts(dialog)
        local out = {}
        for _, m in ipairs(h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages) do
          for _, action in ipairs(m.payload and m.payload.actions or {}) do out[#out + 1] = action.text end
        end
        return table.concat(out, ", ")
      end
      say "/book"
      eventually("its end", function() return texts "d" == "quick?, timeout, later" end)
      assert.is_nil(session())
      -- One that was answered in time finds nothing to do when the time is over.
      h:stop()
      start(talk "c:reply((c:ask('quick?', { timeout = 60 }))) c:ask('slow?') c:reply 'end'")
      say "/book"
      assert.equal("yes\n\nslow?", say "yes")
      assert(h.core.db:commit { { "UPDATE jobs SET run_at = 0", expect = 1 } })
      h.core.jobs:wake()
      eventually("its time", function() return h.core.db:first("SELECT count(*) AS n FROM jobs WHERE state = 'done'").n == 1 end)
      assert.equal("yes, slow?", (texts("d"):gsub("^quick%?, ", "")))
      assert.equal("end", say "ok")
    end)

    it("is over when nobody has answered for long, unless its question has a time of its own", function()
      start(talk "c:reply('got ' .. c:ask('what?', { timeout = tonumber(args.text) }))", nil, "")
      h.core.manager.current.config.conversation_seconds = 0.2
      say "/book" say("/book 3600", "e")
      task.sleep(0.3)
      assert.equal("fallback", h:say("d", "late").body.status)
      assert.is_nil(session "d")
      assert.equal("got late", say("late", "e"))
    end)

    it("leaves messages to others while time passes", function()
      start(talk "c:wait(0.3) c:reply 'done'" )
      say "/book"
      assert.equal("hint", say "/hint")
      assert.equal("fallback", h:say("d", "hello").body.status)
      eventually("its end", function() return session() == nil end)
    end)

    it("goes on with the code that it has begun with", function()
      start(BOOKING)
      say "/book x" say "Ann"
      h:write_plugin("room", {
        main = talk "c:reply('new ' .. c:ask 'new?')", manifest = { version = "2.0.0", commands = COMMANDS },
      })
      assert(h.core:reload())
      assert.equal("new?", say("/book y", "e"))
      assert.equal("Which day, Ann?", say "2")
      say "1.1.2031" say "Large"
      assert.equal("Ann: 2 on 2031-01-01, xl, x, 1", say "yes")
      assert.equal("new?", say "/book z")
      assert.equal("new here", say "here")
      -- And when it has begun before a restart.
      h:write_plugin("room", { main = BOOKING, manifest = { version = "3.0.0", commands = COMMANDS, permissions = { "kv" } } })
      say("/book w", "f")
      assert(h.core:reload())
      h:stop()
      h = host.start { home = h.home }
      assert.equal("new there", say("there", "f"))
    end)

    it("tries newer code when its own is not there any more", function()
      start(talk "c:ask 'one?' c:ask 'two?' c:reply 'old'")
      say "/book" say("/book", "e")
      local function publish(version, source)
        h:write_plugin("room", { main = source, manifest = { version = version, commands = COMMANDS } })
        assert(h.core:reload())
      end
      publish("2.0.0", talk "c:ask 'one?' c:ask 'other?' c:reply 'new'")
      assert(require("host.folder").remove(h.home .. "/data/bundles/room"))
      assert.equal("other?", say "1")
      assert.equal("new", say "2")
      publish("3.0.0", talk "c:ask 'something else?'")
      assert.equal("Something has changed here, and we have to begin again. Sorry!", say("1", "e"))
      assert.is_nil(session "e")
      assert.is_false(fs.exists(h.home .. "/data/bundles/room/x"))
    end)

    it("is refused, with the reason, when it does not come the same way again", function()
      start(talk("n.n = n.n + 1 c:ask('try ' .. n.n) c:ask 'end?'", nil, "local n = { n = 0 }"))
      say "/book"
      local user = { external_id = "me", locale = "uk" }
      assert.equal("Тут дещо змінилося, і треба почати заново. Вибачте!", say("x", "d", user))
      assert.is_nil(session())
      assert.equal("fallback", h:say("d", "y").body.status)
    end)

    it("may be inside loops, functions, pcall and lib, and begin another one", function()
      start(talk([[
        local function two(q) return c:ask(q .. "1?"), c:ask(q .. "2?") end
        local all = {}
        for _, q in ipairs { "a", "b" } do
          local ok, x, y = pcall(two, q)
          all[#all + 1] = x .. y
        end
        c:reply(table.concat(all, " "))
        if args.text ~= "again" then c:enter("talk", { text = "again" }) end
      ]]))
      assert.equal("a1?", say "/book")
      assert.equal("a2?", say "1") assert.equal("b1?", say "2") assert.equal("b2?", say "3")
      assert.equal("12 34\n\na1?", say "4")
      say "5" say "6" say "7"
      assert.equal("56 78", say "8")
      assert.is_nil(session())
    end)

    it("understands kinds of answers", function()
      start(talk [[
        local out = {
          c:ask("e", { as = "email" }), c:ask("p", { as = "phone" }), c:ask("t", { as = "time" }),
          c:ask("n", { as = "number", min = -1 }), c:ask("m", { match = "^%u%u%d+$", retry = "like AB12" }),
          c:ask("c", { check = function(v) if #v < 3 then return nil, "longer" end return v:upper() end }),
          c:ask("a", { any = true }).type,
        }
        c:reply(table.concat(out, "|"))
      ]])
      assert.equal("e", say "/book")
      assert.matches("e%-mail", say "ann@") assert.equal("p", say " ann@example.com ")
      assert.matches("phone", say "12") assert.equal("t", say "+44 (20) 7946-0000")
      assert.matches("14:30", say "25:00") assert.equal("n", say "7.05")
      assert.equal("Please give at least -1.", say "-2") assert.equal("m", say "1,5")
      assert.equal("like AB12", say "ab12") assert.equal("c", say "AB12")
      assert.equal("longer", say "ab") assert.equal("a", say "abc")
      local r = h:say("d", nil, { type = "location", payload = { latitude = 1, longitude = 2 } })
      assert.equal("ann@example.com|+442079460000|07:05|1.5|AB12|ABC|location", r.body.text)
    end)

    it("keeps its own user's session when that is the user's", function()
      start(BOOKING, { session = { scope = "user" } })
      say "/book x"
      assert.equal("How many?", say "Ann")
    end)

    it("says at the author's line what is wrong", function()
      local function problem(source, ...)
        start(source)
        local said
        for _, text in ipairs { "/book", ... } do said = h:say("d", text).body end
        assert.equal("fallback", said.status)
        local row = h.core.db:first [[SELECT details FROM audit_logs WHERE details LIKE '%"code":"exception"%' ORDER BY id DESC]]
        h:stop()
        return row.details
      end
      assert.matches("room/main.lua:3: ask: the text of the question expected, got nil",
        problem("local p = parley.plugin()\np.conversation('t', function(c)\nc:ask() end)\n"
          .. "p.on.command('book', function(c) c:enter 't' end)\np.on.command('hint', function() end)\nreturn p"))
      assert.matches("room/main.lua:5: ask: there is no option 'tries'", problem(talk "c:ask('x', { tries = 3 })"))
      assert.matches("only the code of a p.conversation can", problem([[
        local p = parley.plugin()
        p.on.command("book", function(c) c:ask "x" end)
        p.on.command("hint", function() end)
        return p]]))
      assert.matches("a coroutine of your own cannot", problem(talk "coroutine.wrap(function() c:ask 'x' end)()"))
      assert.matches("only c:ask and its kind may wait", problem(talk "coroutine.yield()"))
      start(BOOKING)
    end)

    it("ends when it has kept too much", function()
      start(talk "for i = 1, 1e6 do c.kv:get(('k'):rep(70)) end c:ask 'x'", { limits = { calls = 3000, cpu_ms = 1000 } })
      assert.matches("begin again", say "/book")
    end)
  end)
end
