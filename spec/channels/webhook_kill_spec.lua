-- Workers that are killed while Telegram brings updates to their webhook: each is taken once and answered, in order, and
-- what a person may have seen twice is on record. With PostgreSQL two workers share the webhook.

local counting = require "spec.support.counting"
local database = require "spec.support.database"
local fs = require "host.fs"
local json = require "host.json"
local process = require "spec.support.process"
local serve = require "spec.support.serve"
local sim = require "parley.sim.telegram"
local store = require "parley.store"
local task = require "host.task"

local PEOPLE, MESSAGES, KILLS = 8, 40, 8

describe("a webhook whose workers are killed", function()
  local s, bot, h

  local function prepare(home)
    local dir = home .. "/plugins/counter"
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/main.lua", counting.MAIN))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "counter", version = "1.0.0", api = "1", transport = "lua",
      commands = json.array { { name = "count" } },
    }))
    assert(fs.write(home .. "/token", bot.token))
  end

  local function said(user)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "counting_bot", chat = tostring(user.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = tonumber(m.text) end
    end
    return out
  end

  it("loses no update, takes none twice, and keeps the order of each chat", function()
    s = assert(sim.start { limits = false, webhook_timeout = 5, webhook_pause_max = 0.2 })
    bot = s.world:add_bot { username = "counting_bot" }
    local env = {
      PARLEY_TELEGRAM_API = s:url(), PARLEY_TELEGRAM_PACED = "false",
      PARLEY_WORKERS = database.is_postgres and "2" or nil,
    }
    h = serve.start { env = env, prepare = prepare }
    local function command(text)
      local more = { PARLEY_TELEGRAM_API = s:url() }
      for name, value in pairs(database.variables(h.home)) do more[name] = value end
      local code, out = h:run(text, { env = more })
      assert.equal(0, code, out)
    end
    command("bot add counter --token-file " .. h.home .. "/token")
    command("bot set-webhook counter --max-connections 20 --url http://127.0.0.1:" .. h.port)
    local people = {}
    for i = 1, PEOPLE do people[i] = s.world:add_user {} end
    local writing = task.spawn(function()
      for _ = 1, MESSAGES do
        for _, user in ipairs(people) do
          s:act("send", { bot = "counting_bot", user = user.id, text = "/count" })
        end
        task.sleep(0.05)
      end
    end)
    for _ = 1, KILLS do
      task.sleep(0.1 + math.random() * 0.3)
      local workers = process.eventually("a worker", function()
        local all = process.children(h.pid)
        return #all > 0 and all
      end)
      process.kill(workers[math.random(#workers)], "KILL")
    end
    assert(writing:join(30))
    process.eventually("everybody has the last answer", function()
      for _, user in ipairs(people) do
        local all = said(user)
        if all[#all] ~= MESSAGES then return false end
      end
      return true
    end, 60)
    process.eventually("Telegram has nothing left", function()
      return s:call(bot, "getWebhookInfo", {}, {}).result.pending_update_count == 0
    end)
    local repeated = 0
    for _, user in ipairs(people) do
      local last = 0
      for _, n in ipairs(said(user)) do
        assert(n == last or n == last + 1, ("%d after %d"):format(n, last))
        if n == last then repeated = repeated + 1 end
        last = n
      end
    end
    h:close()
    local db = assert(store.open({
      database_url = database.url(h.home) or "sqlite:" .. h.home .. "/data/parley.db",
    }, { migrate = false }))
    -- One whose repetition was cut off as well is repeated again.
    local recorded = db:first("SELECT COALESCE(sum(attempts - 1), 0) AS n FROM outbox WHERE uncertain = 1").n
    assert(repeated <= recorded, ("%d repeated, %d on record"):format(repeated, recorded))
    assert.equal(PEOPLE * MESSAGES, db:first("SELECT count(*) AS n FROM inbox WHERE source LIKE 'tg:%'").n)
    assert.equal(0, db:first("SELECT count(*) AS n FROM dead_letters").n)
    db:close()
    s:close()
  end)
end)
