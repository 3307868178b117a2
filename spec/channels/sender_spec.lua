-- What a bot has to say, on its way out: each delivery once, in its order, at the right time.

local api_of = require "parley.channels.telegram.api"
local eventually = require "spec.support.eventually"
local feed = require "parley.store.feed"
local host = require "spec.support.host"
local json = require "host.json"
local notes = require "parley.channels.telegram.sending.notes"
local outbox = require "parley.channels.outbox"
local outlets = require "spec.support.outlet"
local queue = require "parley.channels.telegram.sending.queue"
local task = require "host.task"

local FREE = { paced = false, chat_per_second = 1, chat_burst = 3, group_per_minute = 20, bot_per_second = 30 }

describe("a sender", function()
  local h, rig, sent
  -- Telegram, when it takes everything, in a moment.
  local function takes(method, params)
    task.sleep(0.001)
    sent[#sent + 1] = params.text or method
    return { message_id = #sent }
  end
  local function refuses(err) return function() return nil, err end end
  before_each(function()
    h = host.start()
    rig, sent = outlets.new(h.core.db), {}
  end)
  after_each(function()
    rig:close()
    h:stop()
  end)

  local function done(name, n)
    eventually(n .. " sent", function() return rig:count(name, "sent") == n end)
  end

  it("takes nothing up twice that it has, however often somebody says that there is something", function()
    local slow = task.cond()
    local s = rig:open("a", function(_, params)
      sent[#sent + 1] = params.text
      slow:wait(0.2)
      return { message_id = #sent }
    end, { limits = FREE })
    local all = rig:store("a", {
      { chat = 1, text = "1" }, { chat = 1, text = "2" }, { chat = 1, text = "3" }, { chat = 2, text = "4" },
    })
    s:push(all)
    for _ = 1, 5 do
      assert(rig.outlet:look())
      assert(s:take_up())
    end
    done("a", 4)
    table.sort(sent)
    assert.same({ "1", "2", "3", "4" }, sent)
  end)

  it("begins what nobody else has begun, as long as the bot is its own", function()
    local first = rig:store("a", { { chat = 1, text = "x" } })[1]
    local second = { id = first.id, sender = first.sender, attempts = 0 }
    local lease = rig:lease "l"
    assert(outbox.begin(rig.db, lease, first))
    local ok, err = outbox.begin(rig.db, lease, second)
    assert.same({ nil, "conflict", 2 }, { ok, err.code, err.statement })
    assert.equal(1, first.attempts)
    assert.equal(0, second.attempts)
    lease.fence = 2
    ok, err = outbox.begin(rig.db, lease, first)
    assert.same({ nil, "conflict", 1 }, { ok, err.code, err.statement })
    assert.equal(1, rig:row(first).attempts)
  end)

  it("keeps on record what is uncertain, whatever a sender notes that stood still meanwhile", function()
    local first = rig:store("a", { { chat = 1, text = "x" } })[1]
    local lease = rig:lease "l"
    assert(outbox.begin(rig.db, lease, first))
    local second = outbox.open(rig.db, "tg:a", "reply", "~", 10)[1]
    assert.is_true(second.uncertain)
    assert(outbox.begin(rig.db, lease, second))
    assert(rig.db:commit { outbox.sent(first, 5, 1) })
    assert(rig.db:commit { outbox.sent(second, 6, 2) })
    assert.same({ "sent", 1 }, { rig:row(first).state, rig:row(first).uncertain })
  end)

  it("sends nothing when another one has taken over, and leaves no doubt about what it has not sent", function()
    local s = rig:open("a", takes)
    local all = rig:store("a", { { chat = 1, text = "1" }, { chat = 2, text = "2" } })
    s.lease.is_held = false
    s:push(all)
    eventually("it has ended", function() return s.closed end)
    eventually("nothing is begun", function()
      return rig:row(all[1]).attempts + rig:row(all[2]).attempts == 0
    end)
    assert.same({}, sent)
    -- Overtaken without having noticed: the database says so.
    local t = rig:open("b", takes)
    t.lease.fence = 2
    all = rig:store("b", { { chat = 1, text = "1" } })
    t:push(all)
    eventually("it has ended", function() return t.closed end)
    assert.same({}, sent)
    assert.equal("open", rig:row(all[1]).state)
  end)

  it("finds what was stored by a commit of which nobody has heard, and by nobody it knows", function()
    rig:open("a", takes)
    local late = feed.bound(0)
    local d = rig:store("a", { { chat = 1, text = "found" } })[1]
    -- Young ones are about to be pushed.
    assert(rig.outlet:look(late))
    assert.same({}, sent)
    assert(rig.outlet:look())
    done("a", 1)
    assert.equal(0, rig:row(d).uncertain)
  end)

  it("leaves alone what is about to be pushed", function()
    local s = rig:open("a", takes)
    local all = outbox.deliveries("tg:a", { dialog = { id = "tg:a:1" }, trace_id = "t" },
      { { method = "sendMessage", lane = "reply", params = { chat_id = 1, text = "once" } } })
    s:expect(all)
    assert.same({ true, 1 }, { all[1].begun, all[1].attempts })
    assert(rig.db:commit { outbox.insert(all, 1) })
    assert(rig.outlet:look())
    assert.same({}, sent)
    s:push(all)
    done("a", 1)
    assert.same({ "once" }, sent)
    -- Its outcome is unknown: it is nobody's, and is found.
    all = outbox.deliveries("tg:a", { dialog = { id = "tg:a:1" }, trace_id = "t" },
      { { method = "sendMessage", lane = "reply", params = { chat_id = 1, text = "lost" } } })
    s:expect(all)
    assert(rig.db:commit { outbox.insert(all, 1) })
    s:forget(all)
    assert(rig.outlet:look())
    done("a", 2)
    assert.same({ "once", "lost" }, sent)
    assert.equal(0, s.ahead)
  end)

  it("sends what another worker has stored for a dialog before what is said here", function()
    local others = outlets.new(h.core.db, true)
    others:open("a", takes)
    local dialogs = others.outlet.dialogs
    local function turn(version, leased) return { dialog = { id = "tg:a:1", version = version }, leased = leased } end
    assert.is_true(dialogs:has_all { dialog = { id = "tg:a:1", is_new = true } })
    assert.is_false(dialogs:has_all(turn(1))) -- whoever had its first turn
    dialogs:note { id = "tg:a:1", version = 2 }
    assert.is_true(dialogs:has_all(turn(2)))
    assert.is_true(dialogs:has_all(turn(3, true))) -- made durable by this very turn
    assert.is_false(dialogs:has_all(turn(3)))
    -- The first was stored elsewhere a moment ago.
    rig:store("a", { { chat = 1, text = "first" } })
    others.outlet:stored({ id = "tg:a:1", version = 4 }, rig:store("a", { { chat = 1, text = "second" } }), nil)
    assert.is_false(dialogs:has_all(turn(4)))
    done("a", 2)
    assert.same({ "first", "second" }, sent)
    eventually("all is known", function() return dialogs:has_all(turn(4)) end)
    others:close()
    -- Alone, nobody else can have stored anything; but before there was a sender it was stored only.
    local alone = rig.outlet.dialogs
    assert.is_true(alone:has_all(turn(7)))
    alone:miss { id = "tg:a:1" }
    assert.is_false(alone:has_all(turn(7)))
  end)

  it("begins by its turn's transaction what has a slot soon, but not what must not happen twice", function()
    local go, may_go = task.cond(), false
    local s = rig:open("a", function()
      if not may_go then go:wait(30) end
      return { message_id = 1 }
    end, { limits = FREE })
    local function expect(chat, method)
      local d = outbox.deliveries("tg:a", { dialog = { id = "tg:a:" .. chat }, trace_id = "t" },
        { { method = method, lane = "reply", params = { chat_id = chat, text = "x" } } })
      s:expect(d)
      return d
    end
    assert.is_true(expect(1, "sendInvoice")[1].begun)
    s.pace.width = 2
    for chat = 2, 3 do s:push(rig:store("a", { { chat = chat, text = "x" } })) end
    eventually("all slots are taken", function() return s.at_work == 2 end)
    assert.is_nil(expect(4, "sendInvoice")[1].begun)
    assert.is_true(expect(5, "sendMessage")[1].begun)
    assert.is_nil(expect(6, "sendMessage")[1].begun) -- with the invoice it is as many as there are slots
    may_go = true
    go:broadcast()
    done("a", 2)
  end)

  it("leaves no doubt about what it was about to send when its bot goes to another worker", function()
    local gone = task.cond()
    local s = rig:open("a", function(_, params)
      gone:wait(30)
      sent[#sent + 1] = params.text
      return { message_id = 1 }
    end)
    local function begun(chat, text)
      local all = outbox.deliveries("tg:a", { dialog = { id = "tg:a:" .. chat }, trace_id = "t" },
        { { method = "sendMessage", lane = "reply", params = { chat_id = chat, text = text } } })
      s:expect(all)
      assert.is_true(all[1].begun)
      assert(rig.db:commit { outbox.insert(all, 1) })
      return all
    end
    local waits, under_way, late = begun(1, "waits"), begun(2, "under way"), begun(3, "late")
    s:push(under_way)
    s.pace.width = 1
    s:push(waits)
    s:close()
    s:push(late)
    eventually("they are as before", function()
      return rig:row(waits[1]).attempts == 0 and rig:row(late[1]).attempts == 0
    end)
    assert.is_true(s:is_busy())
    gone:broadcast()
    eventually("what was under way is noted", function() return not s:is_busy() end)
    assert.equal("sent", rig:row(under_way[1]).state)
    assert.same({ "under way" }, sent)
  end)

  it("keeps to the order of a chat when the one before takes back what it had begun, after it was read", function()
    local begun = rig:store("a", { { chat = 1, text = "1" } })[1]
    assert(outbox.begin(rig.db, rig:lease "l", begun))
    local s = rig:open("a", takes)
    s.away = true -- until it is taken back
    assert(s:take_up())
    assert(rig.db:commit { outbox.take_back(begun) })
    s.away = nil
    s:push(rig:store("a", { { chat = 1, text = "2" } }))
    s:go_on()
    done("a", 2)
    assert.same({ "1", "2" }, sent)
    assert.same({ 1, 0 }, { rig:row(begun).attempts, rig:row(begun).uncertain })
  end)

  it("keeps a bounded number in memory, and all in order", function()
    local most, calls = 0, {}
    local s
    s = rig:open("a", function(_, params)
      most = math.max(most, s.waiting)
      sent[#sent + 1] = params
      return { message_id = #sent }
    end, { limits = FREE })
    for i = 1, 2200 do calls[i] = { chat = i % 7 + 1, text = tostring(i) } end
    local all = rig:store("a", calls)
    -- What is pushed beyond the bound stays where it is, and what comes after it does not go first.
    s:push(all)
    assert.is_true(s.waiting <= 500)
    assert.is_true(s.lanes[queue.REPLY].more)
    s:push(rig:store("a", { { chat = 1, text = "2201" } }))
    done("a", 2201)
    assert.is_true(most <= 500, tostring(most))
    assert.equal(2201, #sent)
    local last = {}
    for _, p in ipairs(sent) do
      local n = tonumber(p.text)
      assert.is_true(n > (last[p.chat_id] or 0))
      last[p.chat_id] = n
    end
    eventually("it knows that nothing is left", function() return not s.lanes[queue.REPLY].more end)
    assert.equal(0, s.waiting)
    assert.equal(0, rig.outlet.waiting)
    assert.is_nil(next(s.known))
  end)

  it("has lanes: an answer before a reply before the others, in one chat and over all", function()
    local s = rig:open("a", takes, { limits = FREE })
    s.pace.width = 0 -- until everything is there
    local calls = {}
    for _, lane in ipairs { "broadcast", "p2p", "operator", "reply", "answer" } do
      for chat = 1, 2 do calls[#calls + 1] = { chat = chat, text = lane, lane = lane } end
    end
    s:push(rig:store("a", calls))
    s.pace.width = 1
    s:go_on()
    done("a", 10)
    assert.same({
      "answer", "answer", "reply", "reply", "operator", "operator", "p2p", "p2p", "broadcast", "broadcast",
    }, sent)
  end)

  it("lets nobody wait for ever: who was passed over often has a turn", function()
    local s = rig:open("a", takes, { limits = FREE })
    s.pace.width = 0
    local calls = { { chat = 1, text = "operator", lane = "operator" } }
    for i = 1, 20 do calls[i + 1] = { chat = 1, text = "reply " .. i } end
    s:push(rig:store("a", calls))
    s.pace.width = 1
    s:go_on()
    done("a", 21)
    assert.equal("operator", sent[9])
  end)

  it("gives a bot its turn beside one that has a hundred times as much to say", function()
    local many, few = rig:open("many", takes, { limits = FREE }), rig:open("few", takes, { limits = FREE })
    many.pace.width, few.pace.width = 0, 0 -- until both have everything
    local flood = {}
    for i = 1, 1500 do flood[i] = { chat = i, text = "many" } end
    rig:store("many", flood)
    assert(many:take_up())
    few:push(rig:store("few", { { chat = 1, text = "few" } }))
    many.pace.width, few.pace.width = 30, 30
    many:go_on()
    few:go_on()
    done("many", 1500)
    local at
    for i, text in ipairs(sent) do if text == "few" then at = i end end
    assert.is_true(at <= 60, tostring(at)) -- those of the other that were under way, twice at most
  end)

  it("does not let a chat wait for another one, nor an answer for anything", function()
    local s = rig:open("a", function(method, params)
      if params.chat_id == 1 and method == "sendMessage" then
        return nil, { code = "rate_limited", message = "wait", retryable = true, retry_after = 3600 }
      end
      return takes(method, params)
    end)
    local all = rig:store("a", {
      { chat = 1, text = "waits" }, { chat = 2, text = "goes" }, { chat = 1, text = "answer", lane = "answer",
        method = "answerCallbackQuery", params = { callback_query_id = "1", text = "answer" } },
    })
    s:push(all)
    done("a", 2)
    table.sort(sent)
    assert.same({ "answer", "goes" }, sent)
    -- It was not carried out, so nobody has to wonder about it after a crash.
    eventually("it is as before", function() return rig:row(all[1]).attempts == 0 end)
    assert.equal("open", rig:row(all[1]).state)
    assert.is_true(s.chats["1"].refused.sendMessage > 0)
  end)

  it("waits as a bot when Telegram slows the bot down, and sends broadcasts slower then", function()
    local s = rig:open("a", refuses { code = "rate_limited", message = "wait", retryable = true, retry_after = 600 })
    local calls = {}
    for i = 1, 200 do calls[i] = { chat = i, text = "x", lane = "broadcast" } end
    s:push(rig:store("a", calls))
    eventually("it waits", function() return s.pace.until_s > 0 and s.at_work == 0 end)
    assert.is_true(s.pace.rate < 30)
    assert.equal(1, s.pace.width)
    assert.equal(200, rig:count("a", "open"))
  end)

  it("asks nothing of a bot whose token is unknown, says so once, and keeps everything", function()
    local s = rig:open("a", refuses { code = "unauthorized", message = "Unauthorized" })
    local calls = {}
    for i = 1, 50 do calls[i] = { chat = i, text = "x" } end
    s:push(rig:store("a", calls))
    eventually("it is away", function() return s.away and s.at_work == 0 end)
    local told = 0
    for _, line in ipairs(rig.logged) do
      if line[3].code == "unauthorized" then
        told = told + 1
        assert.matches("@BotFather", line[2])
      end
    end
    assert.equal(1, told)
    assert.equal(50, rig:count("a", "open"))
    eventually("nothing is in doubt", function()
      return rig.db:first("SELECT count(*) AS n FROM outbox WHERE attempts > 0").n == 0
    end)
  end)

  it("keeps what there is to say while Telegram cannot be reached, and goes on by itself", function()
    local away = true
    local s = rig:open("a", function(method, params)
      if away then return nil, { code = "connect", message = "no route", retryable = true } end
      return takes(method, params)
    end)
    local calls = {}
    for i = 1, 60 do calls[i] = { chat = i, text = "x" } end
    s:push(rig:store("a", calls))
    eventually("it is away", function() return s.away and s.at_work == 0 end)
    away = false
    done("a", 60)
    assert.is_nil(s.away)
    assert.equal(0, rig.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("gives up after three attempts, and says for a person why", function()
    local tries = 0
    local s = rig:open("a", function(_, params)
      if params.chat_id == 1 then
        tries = tries + 1
        return nil, { code = "unavailable", message = "Bad Gateway", retryable = true, unknown = true }
      end
      return takes("sendMessage", params)
    end)
    local all = rig:store("a", { { chat = 1, text = "bad" }, { chat = 1, text = "next" } })
    s:push(all)
    eventually("it is given up", function() return rig:row(all[1]).state == "dead" end)
    assert.equal(3, tries)
    local row = rig:row(all[1])
    assert.same({ 3, 1, "unavailable" }, { row.attempts, row.uncertain, row.error.code })
    local letter = rig.db:first "SELECT source, payload, attempts FROM dead_letters"
    assert.same({ "outbox:tg:a#" .. all[1].id, 3 }, { letter.source, letter.attempts })
    assert.equal("bad", json.decode(letter.payload).params.text)
  end)

  it("does not count it as a failure that the host was killed, unless it happens again and again", function()
    local failures = 2
    local s = rig:open("a", function(method, params)
      failures = failures - 1
      if failures >= 0 then return nil, { code = "unavailable", message = "Bad Gateway", retryable = true } end
      return takes(method, params)
    end)
    local all = rig:store("a", { { chat = 1, text = "late" }, { chat = 2, text = "never" } })
    assert(rig.db:commit {
      { "UPDATE outbox SET attempts = 5 WHERE id = $1", all[1].id },
      { "UPDATE outbox SET attempts = 20 WHERE id = $1", all[2].id },
    })
    assert(s:take_up())
    eventually("it is sent", function() return rig:row(all[1]).state == "sent" end)
    assert.same({ 8, 1 }, { rig:row(all[1]).attempts, rig:row(all[1]).uncertain })
    eventually("a person decides", function() return rig:row(all[2]).state == "dead" end)
    assert.equal("crashed", rig:row(all[2]).error.code)
  end)

  it("does not repeat what must not happen twice, when nobody knows whether it has", function()
    assert.equal("once", api_of.policy "sendInvoice")
    assert.equal("repeat", api_of.policy "sendMessage")
    for _, method in ipairs { "editMessageText", "answerPreCheckoutQuery", "setMessageReaction", "sendChatAction" } do
      assert.equal("again", api_of.policy(method))
    end
    local tries = 0
    local s = rig:open("a", function()
      tries = tries + 1
      return nil, { code = "lost", message = "timeout", retryable = true, unknown = true }
    end)
    local all = rig:store("a", { { chat = 1, method = "sendInvoice", params = { chat_id = 1 } } })
    s:push(all)
    eventually("a person decides", function() return rig:row(all[1]).state == "dead" end)
    assert.equal(1, tries)
    assert.equal(1, rig:row(all[1]).uncertain)
    -- Begun before a crash.
    all = rig:store("a", { { chat = 2, method = "sendInvoice", params = { chat_id = 2 } } })
    assert(rig.db:commit { { "UPDATE outbox SET attempts = 1 WHERE id = $1", all[1].id } })
    assert(rig.outlet:look())
    eventually("a person decides", function() return rig:row(all[1]).state == "dead" end)
    assert.equal("uncertain", rig:row(all[1]).error.code)
    assert.equal(1, tries)
  end)

  it("says what is wrong with a message_id that is none", function()
    local s = rig:open("a", takes)
    local all = rig:store("a", {
      { chat = 1, method = "editMessageText", params = { chat_id = 1, message_id = "the last one", text = "x" } },
    })
    s:push(all)
    eventually("it is given up", function() return rig:row(all[1]).state == "dead" end)
    local err = rig:row(all[1]).error
    assert.equal("invalid_message_id", err.code)
    assert.matches("the last one", err.message)
    assert.same({}, sent)
    assert.equal(1, rig.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("knows who cannot be reached, and tries again when they write", function()
    local answer
    local s = rig:open("a", function(method, params)
      if answer then return nil, { code = "forbidden", message = answer, description = answer } end
      return takes(method, params)
    end)
    local function state() return (rig.db:first "SELECT state FROM chats WHERE chat_id = 1" or {}).state end
    for description, expected in pairs {
      ["Forbidden: bot was blocked by the user"] = "blocked",
      ["Forbidden: user is deactivated"] = "deactivated",
      ["Forbidden: bot was kicked from the group chat"] = "left",
    } do
      answer = description
      local d = rig:store("a", { { chat = 1, text = "reply" } })
      s:push(d)
      eventually("it is noted", function() return rig:row(d[1]).state == "dead" end)
      assert.equal(expected, state())
      assert.equal(expected, rig:row(d[1]).error.code)
      -- What nobody has asked for is not tried; also by who has read it in the database only.
      answer, s.chats = nil, {}
      d = rig:store("a", { { chat = 1, text = "news", lane = "broadcast" } })
      s:push(d)
      eventually("it is not tried", function() return rig:row(d[1]).state == "dead" end)
      assert.equal(expected, rig:row(d[1]).error.code)
      assert.same({}, sent)
      d = rig:store("a", { { chat = 1, text = "back" } })
      s:push(d)
      eventually("it is sent", function() return rig:row(d[1]).state == "sent" end)
      assert.is_nil(state())
      sent, s.chats = {}, {}
    end
    assert.equal(0, rig.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end)

  it("follows a group that has moved, also where it was not the one who has heard of it", function()
    local function moved(method, params)
      if params.chat_id == -5 then
        return nil, { code = "bad_request", message = "moved", description = "moved", migrate_to = -1005 }
      end
      sent[#sent + 1] = params.chat_id
      return takes(method, params)
    end
    local s = rig:open("a", moved)
    s:push(rig:store("a", { { chat = -5, text = "x" } }))
    done("a", 1)
    assert.same({ "migrated", -1005 }, { rig.db:first("SELECT state FROM chats").state,
      rig.db:first("SELECT migrated_to FROM chats").migrated_to })
    s:close()
    s = rig:open("a", moved)
    s:push(rig:store("a", { { chat = -5, text = "news", lane = "operator" } }))
    done("a", 2)
    assert.same({ -1005, "x", -1005, "news" }, sent)
  end)

  it("notes together what has become of many while the first was written down", function()
    local sizes, disk = {}, task.cond()
    local written = 0
    local n = notes.new({ commit = function(_, statements)
      sizes[#sizes + 1] = #statements
      disk:wait(30)
      return {}
    end }, rig.log)
    local function write(i)
      assert(n:write { { "UPDATE " .. i }, i % 2 == 0 and { "INSERT" } or nil })
      written = written + 1
    end
    task.spawn(write, 1)
    eventually("the first is under way", function() return #sizes == 1 end)
    for i = 2, 50 do task.spawn(write, i) end
    task.sleep(0)
    assert.equal(0, written)
    disk:broadcast()
    eventually("the second is", function() return #sizes == 2 end)
    assert.equal(1, written)
    disk:broadcast()
    eventually("all are durable", function() return written == 50 end)
    assert.same({ 1, 74 }, sizes)
  end)

  it("notes what can be noted, when one of many is refused or the database is away", function()
    local seen, away = {}, 1
    local n = notes.new({ commit = function(_, statements)
      task.sleep(0.001)
      if away > 0 then
        away = away - 1
        return nil, { code = "connection", message = "away", retryable = true }
      end
      for _, st in ipairs(statements) do
        if st[1] == "bad" then return nil, { code = "invalid", message = "bad", retryable = false } end
      end
      for _, st in ipairs(statements) do seen[st[1]] = (seen[st[1]] or 0) + 1 end
      return {}
    end }, rig.log)
    local ended = 0
    for _, text in ipairs { "a", "b", "bad", "c" } do
      task.spawn(function()
        n:write { { text } }
        ended = ended + 1
      end)
    end
    eventually("all have ended", function() return ended == 4 end)
    assert.same({ a = 1, b = 1, c = 1 }, seen)
  end)

  it("forgets chats that are quiet, and timers do not add up", function()
    local s = rig:open("a", takes)
    local calls = {}
    for i = 1, 100 do calls[i] = { chat = i, text = "x" } end
    s:push(rig:store("a", calls))
    done("a", 100)
    eventually("the last one has ended", function() return s.at_work == 0 end)
    s:tidy(require("host.time").mono() + 10)
    assert.is_nil(next(s.chats))
    assert.equal(0, rig.outlet.timers.n)
  end)
end)
