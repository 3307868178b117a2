-- Broadcasts while things go wrong: whatever it is, each recipient gets them once, and what may have come twice is on
-- record.

local broadcasts = require "parley.broadcasts"
local crowd = require "spec.support.people"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local process = require "spec.support.process"
local serve = require "spec.support.serve"
local sim = require "parley.sim.telegram"
local store = require "parley.store"
local task = require "host.task"

local BY = { by = "spec" }
local MINUTES = 300 -- s, for what a busy machine may take long for

-- Starts one, and returns its id.
local function start(db, audience)
  local b = assert(broadcasts.create(db, {
    bot = "main", locale = "en", actions = { { type = "send", text = "news" } }, audience = audience,
  }, BY))
  assert(broadcasts.start(db, b.id, BY))
  return b.id
end

local function progress(db, id) return broadcasts.view(assert(broadcasts.get(db, id))).progress end

local function done(db, id)
  eventually("the broadcast is done", function()
    local b = broadcasts.get(db, id)
    return b and b.state == "done"
  end, MINUTES)
  return progress(db, id)
end

describe("a broadcast of a host that is killed", function()
  local s, bot, url, db, hosts
  local function start_host(home)
    local h = serve.start {
      home = home,
      env = {
        TELEGRAM_BOT_TOKEN = bot.token, PARLEY_TELEGRAM_API = s:url(), PARLEY_TELEGRAM_PACED = "false",
        PARLEY_DATABASE_URL = url, PARLEY_SECRET_KEY = ("one for all "):rep(3),
      },
    }
    hosts[h.home] = h
    return h
  end
  before_each(function()
    database.forget()
    local home = host.temp_dir()
    url, hosts = database.url(home) or "sqlite:" .. home .. "/spec.db", {}
    db = assert(store.open { database_url = url })
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
  end)
  after_each(function()
    for _, h in pairs(hosts) do h:close() end
    db:close()
    s:close()
  end)

  local function reached(people)
    local n = 0
    for _, id in ipairs(people) do
      if #crowd.heard(s, bot, id) > 0 then n = n + 1 end
    end
    return n
  end

  -- All have it; whoever has it twice is on record. What was being sent at a kill is sent again, also at the next.
  local function check(people, id, kills)
    local p = done(db, id)
    local uncertain = {}
    for _, row in ipairs(assert(broadcasts.results(db, id, "uncertain", nil, 1000))) do uncertain[row.dialog_id] = true end
    for _, user in ipairs(people) do
      local n = #crowd.heard(s, bot, user)
      local may = uncertain["tg:main:" .. user] and 1 + kills or 1
      assert(n >= 1 and n <= may, ("%d has got it %d times"):format(user, n))
    end
    assert.same({ #people, 0, 0, 0 }, { p.sent + p.uncertain, p.blocked, p.failed, p.on_the_way })
    assert.equal(0, db:first("SELECT count(*) AS n FROM outbox").n)
  end

  it("reaches everybody once, whenever that is and whoever it hits", function()
    local people = crowd.add(s, bot, db, 400)
    s:act("faults", { kind = "slow", seconds = 0.1, method = "sendMessage", times = 0 })
    local h = start_host()
    local id = start(db)
    for n = 1, 4 do
      local before = reached(people)
      eventually("some more have it", function() return reached(people) >= before + 60 end, MINUTES)
      task.sleep(math.random() * 0.2)
      if n % 2 == 0 then
        process.kill(h:status().workers[1].pid, "KILL") -- its supervisor starts another one
      else
        process.run { "kill", "-9", "--", "-" .. h.pid }
        h:close()
        h = start_host(h.home)
      end
    end
    check(people, id, 4)
  end)

  if not database.is_postgres then return end

  it("is led by another host, and reaches everybody once", function()
    local people = crowd.add(s, bot, db, 300)
    s:act("faults", { kind = "slow", seconds = 0.1, method = "sendMessage", times = 0 })
    local first = start_host()
    local id = start(db)
    eventually("some have it", function() return reached(people) >= 30 end, MINUTES)
    start_host()
    process.run { "kill", "-9", "--", "-" .. first.pid }
    check(people, id, 1)
  end)

  it("stands still and goes on by orders to either of two hosts", function()
    local people = crowd.add(s, bot, db, 200)
    s:act("faults", { kind = "slow", seconds = 0.1, method = "sendMessage", times = 0 })
    start_host()
    start_host()
    local id = start(db)
    eventually("some have it", function() return reached(people) >= 30 end, MINUTES)
    assert(broadcasts.pause(db, id, BY))
    eventually("it rests", function() return db:first("SELECT live FROM broadcasts WHERE id = $1", id).live == 0 end, MINUTES)
    local p = progress(db, id)
    assert.same({ reached(people), 0 }, { p.sent, p.on_the_way })
    assert(p.sent < 200)
    assert(broadcasts.resume(db, id, BY))
    check(people, id, 0)
  end)
end)

describe("a broadcast", function()
  local s, h, bot
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    h = host.start {
      plugins = { talk = { main = "local p = parley.plugin() p.on.any(function(c) c:reply 'hello' end) return p" } },
      config = ([[return {
        telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk',
      }]]):format(bot.token, s:url()),
    }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  it("waits when Telegram says so, and answers do not", function()
    local people, ann = crowd.add(s, bot, h.core.db, 40), s.world:add_user {}
    for _, id in ipairs(people) do
      s:act("faults", {
        kind = "status", status = 429, retry_after = 1, method = "sendMessage", chat_id = id, times = 0,
      })
    end
    local id = start(h.core.db)
    eventually("Telegram has refused", function() return (s.counts["sendMessage 0"] or 0) >= 5 end)
    for n = 1, 3 do
      s:act("send", { bot = "shop_bot", user = ann.id, text = "hi" })
      eventually("she is answered", function() return #crowd.heard(s, bot, ann.id) == n end)
    end
    assert.same({ 0, 0 }, { progress(h.core.db, id).sent, progress(h.core.db, id).failed })
    s:act "calm"
    local p = done(h.core.db, id)
    assert.same({ 40, 0, 0 }, { p.sent, p.failed, p.uncertain })
    for _, user in ipairs(people) do assert.same({ "news" }, crowd.heard(s, bot, user)) end
  end)

  it("counts as uncertain what nobody knows the end of", function()
    local people = crowd.add(s, bot, h.core.db, 10)
    s:act("faults", { kind = "lost", method = "sendMessage", chat_id = people[3] })
    local id = start(h.core.db)
    local p = done(h.core.db, id)
    assert.same({ 9, 1 }, { p.sent, p.uncertain })
    assert.same({ "news", "news" }, crowd.heard(s, bot, people[3]))
    local row = assert(broadcasts.results(h.core.db, id, "uncertain", nil, 10))[1]
    assert.same({ "tg:main:" .. people[3], "repeated" }, { row.dialog_id, row.code })
  end)

  it("reaches five thousand people of a list, with few of them in the outbox at a time", function()
    local people, most = crowd.add(s, bot, h.core.db, 5000), 0
    local id = start(h.core.db, { telegram_ids = people })
    eventually("the broadcast is done", function()
      most = math.max(most, h:count "outbox")
      return broadcasts.get(h.core.db, id).state == "done"
    end, MINUTES)
    local p = progress(h.core.db, id)
    assert.same({ 5000, 5000, 0 }, { p.candidates, p.sent, p.uncertain })
    for _, user in ipairs(people) do assert.equal(1, #crowd.heard(s, bot, user)) end
    assert(most <= 3000, most .. " rows in the outbox")
  end)
end)
