-- Hosts that are killed while people write to their bot: every message is answered, in order, and what a person may
-- have seen twice is on record.

local fs = require "host.fs"
local json = require "host.json"
local process = require "spec.support.process"
local serve = require "spec.support.serve"
local sim = require "parley.sim.telegram"
local sqlite = require "host.sqlite"
local task = require "host.task"

local MAIN = [[
local p = parley.plugin()
p.on.command('count', function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply(tostring(c.session.n))
end)
return p
]]

local PEOPLE, MESSAGES, KILLS = 8, 30, 4

describe("a host with a bot of Telegram", function()
  local s, bot, h
  local function prepare(home)
    local dir = home .. "/plugins/counter"
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/main.lua", MAIN))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "counter", version = "1.0.0", api = "1", transport = "lua",
      commands = json.array { { name = "count" } },
    }))
  end
  local function start(home)
    return serve.start {
      home = home, prepare = not home and prepare or nil,
      env = { TELEGRAM_BOT_TOKEN = bot.token, PARLEY_TELEGRAM_API = s:url(), PARLEY_TELEGRAM_PACED = "false" },
    }
  end

  it("loses nothing when it is killed at random points, and repeats nothing in secret", function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "counting_bot" }
    h = start()
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
    for n = 1, KILLS do
      task.sleep(0.2 + math.random() * 0.3)
      if n % 2 == 0 then
        -- The worker; its supervisor starts another one.
        process.run { "kill", "-9", tostring(h:status().workers[1].pid) }
      else
        process.run { "kill", "-9", "--", "-" .. h.pid }
        h:close()
        h = start(h.home)
      end
    end
    assert(writing:join(30))
    local function said(user)
      local out = {}
      for _, m in ipairs(s:view("messages", { bot = "counting_bot", chat = tostring(user.id) }).messages) do
        if m.from == bot.user then out[#out + 1] = tonumber(m.text) end
      end
      return out
    end
    process.eventually("everybody has the last answer", function()
      for _, user in ipairs(people) do
        local all = said(user)
        if all[#all] ~= MESSAGES then return false end
      end
      return true
    end, 30)
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
    if fs.exists(h.home .. "/data/parley.db") then
      local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
      local uncertain = db:first("SELECT count(*) AS n FROM outbox WHERE uncertain = 1").n
      assert(repeated <= uncertain, ("%d repeated, %d on record"):format(repeated, uncertain))
      assert.equal(0, db:first("SELECT count(*) AS n FROM dead_letters").n)
      db:close()
    end
    s:close()
  end)
end)
