-- Hosts and workers that are killed while they send, to a Telegram that is slow, loses answers and slows them down:
-- everything arrives, in the order of its chat and lane, and what may have come twice is on record. With PostgreSQL two
-- workers share the bot.

local cluster = require "parley.cluster"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local outbox = require "parley.channels.outbox"
local process = require "spec.support.process"
local serve = require "spec.support.serve"
local sim = require "parley.sim.telegram"
local store = require "parley.store"
local task = require "host.task"
local time = require "host.time"

local CHATS, EACH, KILLS = 20, 30, 8
local LANES = { "reply", "operator" }

describe("a host that is killed while it sends", function()
  local s, bot, h, db
  local function start(home)
    return serve.start { home = home, env = {
      TELEGRAM_BOT_TOKEN = bot.token, PARLEY_TELEGRAM_API = s:url(), PARLEY_TELEGRAM_PACED = "false",
      PARLEY_WORKERS = database.is_postgres and "2" or nil,
    } }
  end

  -- Stores what there is to say to everybody: the n-th of each lane.
  local function say(people, n)
    local all = {}
    for _, user in ipairs(people) do
      for _, lane in ipairs(LANES) do
        all[#all + 1] = outbox.deliveries("tg:main", {
          dialog = { id = "tg:main:" .. user.id }, trace_id = ("a"):rep(32),
        }, { { method = "sendMessage", lane = lane, params = { chat_id = user.id, text = lane .. " " .. n } } })[1]
      end
    end
    local statements = outbox.inserts(all, time.now_ms())
    statements[#statements + 1] = cluster.bump "outbox"
    local ok, err
    repeat
      ok, err = db:commit(statements)
      if not ok and err.code == "unique" then ok = true end -- it was stored, and nobody has heard of it
    until ok
  end

  -- What has arrived, by lane.
  local function heard(user)
    local out = { reply = {}, operator = {} }
    for _, m in ipairs(s:view("messages", { bot = "news_bot", chat = tostring(user.id) }).messages) do
      local lane, n = m.text:match "^(%a+) (%d+)$"
      table.insert(out[lane], tonumber(n))
    end
    return out
  end

  it("loses nothing, keeps the order, and repeats nothing in secret", function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "news_bot" }
    h = start()
    db = assert(store.open({
      database_url = database.url(h.home) or "sqlite:" .. h.home .. "/data/parley.db",
    }, { migrate = false }))
    local people = {}
    for i = 1, CHATS do
      people[i] = s.world:add_user {}
      s.world:private(bot, people[i])
    end
    for i = 1, 6 do
      s:act("faults", { kind = "lost", method = "sendMessage", skip = 100 * i })
      s:act("faults", { kind = "status", status = 429, retry_after = 1, method = "sendMessage", skip = 90 * i })
    end
    s:act("faults", { kind = "slow", seconds = 0.02, method = "sendMessage", times = 0, share = 0.3 })
    local saying = task.spawn(function()
      for n = 1, EACH do
        say(people, n)
        task.sleep(0.05)
      end
    end)
    for n = 1, KILLS do
      task.sleep(0.1 + math.random() * 0.4)
      if n % 3 > 0 then
        local workers = eventually("a worker", function()
          local all = process.children(h.pid)
          return #all > 0 and all
        end)
        process.kill(workers[math.random(#workers)], "KILL")
      else
        process.run { "kill", "-9", "--", "-" .. h.pid }
        h:close()
        h = start(h.home)
      end
    end
    assert(saying:join(60))
    eventually("all is sent", function()
      return db:first("SELECT count(*) AS n FROM outbox WHERE state = 'sent'").n == CHATS * EACH * #LANES
    end, 90)
    local repeated = 0
    for _, user in ipairs(people) do
      for lane, all in pairs(heard(user)) do
        local last = 0
        for _, n in ipairs(all) do
          assert(n == last or n == last + 1, ("%s: %d after %d"):format(lane, n, last))
          if n == last then repeated = repeated + 1 end
          last = n
        end
        assert.equal(EACH, last)
      end
    end
    h:close()
    -- One may be cut off more than once.
    local on_record = db:first("SELECT sum(attempts) - count(*) AS n FROM outbox WHERE uncertain = 1").n
    assert(repeated <= on_record, ("%d repeated, %d on record"):format(repeated, on_record))
    assert.is_true(on_record > 0) -- the answers that were lost
    assert.equal(0, db:first("SELECT count(*) AS n FROM dead_letters").n)
    db:close()
    s:close()
  end)
end)
