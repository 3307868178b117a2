-- What was given up: looked at, tried again once, thrown away; over HTTP and by the command line's own functions.

local crypto = require "host.crypto"
local dead_letters = require "parley.store.dead_letters"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local outbox = require "parley.channels.outbox"
local sim = require "parley.sim.telegram"
local task = require "host.task"
local time = require "host.time"

local PATH = "/api/v1/admin/dead-letters"

local MAIN = [[
local p = parley.plugin()
p.on.command('say', function(c, text) c:reply(text) end)
p.on.command('later', function(c) c:schedule { job = 'ring', ['in'] = 0 } end)
p.on.job('ring', function(c)
  if not c.kv:get('fixed') then error('not yet') end
  c.kv:set('rung', (c.kv:get('rung') or 0) + 1)
end)
p.on.command('fix', function(c) c.kv:set('fixed', true) c:reply('fixed') end)
p.on.command('rung', function(c) c:reply(tostring(c.kv:get('rung'))) end)
return p
]]

describe("dead letters", function()
  local s, h, db, admin, bot, ann
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = {
        permissions = { "jobs", "kv" }, commands = { { name = "say" }, { name = "later" }, { name = "fix" }, { name = "rung" } },
      } } },
      config = ("return { telegram = { token = %q, api = %q }, fallback_plugin = 'talk' }"):format(bot.token, s:url()),
    }
    db, admin = h.core.db, h:client("adm", { "admin" })
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function letters(query)
    local r = admin("GET", PATH .. (query or ""))
    assert.equal(200, r.status, r.text)
    return r.body.dead_letters, r.body.next_cursor
  end
  local function only_letter(kind)
    return eventually("a dead letter", function() return letters("?kind=" .. kind)[1] end)
  end
  -- Asked for by several at a time: one of them has done it.
  local function replay(id)
    local tasks, done = {}, 0
    for i = 1, 3 do tasks[i] = task.spawn(admin, "POST", ("%s/%s/replay"):format(PATH, id)) end
    for _, t in ipairs(tasks) do
      local _, r = assert(t:join(30))
      if r.status == 200 then
        done = done + 1
        assert.same({ id = id, replayed = true }, r.body)
      else
        assert.is_true(r.status == 404 and r.body.code == "dead_letter_not_found" or r.body.code == "conflict", r.text)
      end
    end
    assert.equal(1, done)
  end
  local function said()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end
  local function letter(source, payload)
    local id = crypto.uuid7()
    assert(db:commit { {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, 3, $5, $6)", id, source, json.encode(payload),
      json.encode { code = "crashed", message = "x" }, ("a"):rep(32), time.now_ms(),
    } })
    return id
  end

  it("of messages that Telegram has refused are sent, once", function()
    s:act("faults", { kind = "status", status = 400, method = "sendMessage" })
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/say hello" })
    local found = only_letter "outbox"
    assert.equal("hello", found.payload.params.text)
    assert.same({ "bad_request", 1 }, { found.error.code, found.attempts })
    assert.same(found, admin("GET", PATH .. "/" .. found.id).body)
    replay(found.id)
    eventually("it is said", function() return said()[1] end)
    assert.same({ "hello" }, said())
    assert.same({}, { unpack(letters()) })
    local row = db:first("SELECT state, attempts, error FROM outbox WHERE id = $1", found.source:match "#(.*)$")
    eventually("it is noted", function()
      row = db:first("SELECT state, attempts, error FROM outbox WHERE id = $1", found.source:match "#(.*)$")
      return row.state == "sent"
    end)
    assert.same({ state = "sent", attempts = 1 }, row)
    assert.equal(1, db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'dead_letter_replayed'").n)
  end)

  it("are sent also when what they came from has been swept away", function()
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/say one" })
    eventually("it is said", function() return said()[1] end)
    local d = outbox.deliveries("tg:main", { dialog = { id = "tg:main:" .. ann.id }, trace_id = "t" },
      { { method = "sendMessage", lane = "operator", params = { chat_id = ann.id, text = "two" } } })[1]
    local dead = outbox.dead(d, { code = "x", message = "y" }, true, time.now_ms())
    assert(db:commit { dead[2] })
    replay(only_letter("outbox").id)
    eventually("it is said", function() return said()[2] end)
    assert.equal("operator", db:first("SELECT lane FROM outbox WHERE id = $1", d.id).lane)
  end)

  it("of jobs are fired again, with all their attempts", function()
    h:say("d", "/later")
    eventually("it has failed", function() return db:first "SELECT 1 AS x FROM jobs WHERE attempts > 0" end)
    assert(db:commit { { "UPDATE jobs SET attempts = 11, run_at = 0 WHERE state = 'open'" } })
    h.core.jobs:wake()
    local found = only_letter "job"
    assert.equal("ring", found.payload.job)
    h:say("d", "/fix")
    replay(found.id)
    eventually("it has rung", function() return h:say("d", "/rung").body.text == "1" end)
    assert.equal("done", db:first("SELECT state FROM jobs").state)
  end)

  it("of messages have their turn", function()
    local payload = {
      user = { telegram_id = ann.id }, channel = "telegram", type = "command", text = "/say again", message_id = "7",
    }
    assert(db:commit { {
      "INSERT INTO inbox (source, key, dialog_id, state, body_hash, trace_id, received_at, owner, attempts) "
        .. "VALUES ('tg:main', '7', $1, 'failed', 'x', $2, 1, $3, 3)",
      "tg:main:" .. ann.id, ("a"):rep(32), h.core.cluster.id,
    } })
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/say one" })
    eventually("it is said", function() return said()[1] end)
    local id = letter("tg:main#7", payload)
    assert.equal("message", letters()[1].kind)
    replay(id)
    eventually("it is answered", function() return said()[2] end)
    assert.same({ "one", "again" }, said())
  end)

  it("stay when there is nothing to be opened", function()
    for _, source in ipairs { "job:talk#nothing", "tg:main#99" } do
      local id = letter(source, { x = 1 })
      local r = admin("POST", ("%s/%s/replay"):format(PATH, id))
      assert.same({ 409, "conflict" }, { r.status, r.body.code })
      assert.equal(200, admin("GET", PATH .. "/" .. id).status)
    end
  end)

  it("of events are published", function()
    local id = letter("stream:stream:system.health", { x = 1 })
    assert.equal("stream", letters()[1].kind)
    assert(dead_letters.replay(db, id, { by = "cli" }))
    -- Without Redis it waits there; with it, it is gone again.
    assert.same({}, { unpack(letters()) })
  end)

  it("come in pages, by kind, and are thrown away one by one or many at once", function()
    local ids = {}
    for i = 1, 5 do ids[i] = letter("outbox:tg:main#" .. i, { n = i }) end
    letter("job:talk#1", {})
    local page, cursor = letters "?limit=4"
    assert.equal(4, #page)
    assert.equal("job", page[1].kind)
    local rest, more = letters("?limit=4&cursor=" .. cursor)
    assert.same({ ids[2], ids[1] }, { rest[1].id, rest[2].id })
    assert.is_nil(more)
    assert.equal(5, #letters "?kind=outbox")
    assert.equal(400, admin("GET", PATH .. "?kind=outboxes").status)
    assert.same({ id = ids[1], purged = true }, admin("DELETE", PATH .. "/" .. ids[1]).body)
    assert.equal(404, admin("DELETE", PATH .. "/" .. ids[1]).status)
    assert.same({ purged = 0 }, admin("POST", PATH .. "/purge", { before = "2020-01-01T00:00:00Z" }).body)
    assert.same({ purged = 4 }, admin("POST", PATH .. "/purge", { kind = "outbox" }).body)
    assert.equal(1, #letters())
    assert.same({ purged = 1 }, admin("POST", PATH .. "/purge", {}).body)
    assert.equal(4, db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'dead_letters_purged'").n)
  end)

  it("are not there under an id that is none", function()
    for _, id in ipairs { "%00", "a%20b", ("x"):rep(100), "%27" } do
      for _, order in ipairs { { "GET", "" }, { "DELETE", "" }, { "POST", "/replay" } } do
        local r = admin(order[1], PATH .. "/" .. id .. order[2])
        assert.same({ 404, "dead_letter_not_found" }, { r.status, r.body.code })
      end
    end
  end)

  it("are for operators only", function()
    assert.equal(401, h:request("GET", PATH, nil, { token = false }).status)
    assert.equal(403, h:client("adm", { "dialogs:read" })("GET", PATH).status)
  end)
end)
