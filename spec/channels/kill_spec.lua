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
p.on.any(function(c)
  local ids = {}
  for i, item in ipairs(c.message.payload.items) do ids[i] = item.file_id end
  c:reply(table.concat(ids, ' '))
end)
return p
]]

local PEOPLE, MESSAGES, KILLS = 8, 30, 4
local ALBUM_EVERY, PHOTOS = 10, 3

describe("a host with a bot of Telegram", function()
  local s, bot, h
  local function prepare(home)
    local dir = home .. "/plugins/counter"
    assert(fs.mkdir(dir))
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/parley.lua", "return { fallback_plugin = 'counter' }"))
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
      for n = 1, MESSAGES do
        for _, user in ipairs(people) do
          s:act("send", { bot = "counting_bot", user = user.id, text = "/count" })
          if n % ALBUM_EVERY == 0 then
            local items = {}
            for i = 1, PHOTOS do items[i] = { photo = { file_name = i .. ".jpg" } } end
            s:act("album", { bot = "counting_bot", user = user.id, items = items })
          end
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
    -- The numbers that somebody was told, and how often each photo was spoken of; an answer that was sent twice is one.
    local function said(user)
      local numbers, photos, seen, n = {}, {}, {}, 0
      for _, m in ipairs(s:view("messages", { bot = "counting_bot", chat = tostring(user.id) }).messages) do
        if m.from == bot.user and m.text:find "^%d+$" then
          numbers[#numbers + 1] = tonumber(m.text)
        elseif m.from == bot.user and not seen[m.text] then
          seen[m.text] = true
          for id in m.text:gmatch "%S+" do
            photos[id], n = (photos[id] or 0) + 1, n + (photos[id] and 0 or 1)
          end
        end
      end
      return numbers, photos, n
    end
    process.eventually("everybody has the last answer", function()
      for _, user in ipairs(people) do
        local all, _, photos = said(user)
        if all[#all] ~= MESSAGES or photos ~= MESSAGES / ALBUM_EVERY * PHOTOS then return false end
      end
      return true
    end)
    local repeated = 0
    for _, user in ipairs(people) do
      local last, all, photos = 0, said(user)
      for _, n in ipairs(all) do
        assert(n == last or n == last + 1, ("%d after %d"):format(n, last))
        if n == last then repeated = repeated + 1 end
        last = n
      end
      for id, n in pairs(photos) do assert(n == 1, id .. " came twice") end
    end
    h:close()
    if fs.exists(h.home .. "/data/parley.db") then
      local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
      -- One whose repetition was cut off as well is repeated again.
      local recorded = db:first("SELECT COALESCE(sum(attempts - 1), 0) AS n FROM outbox WHERE uncertain = 1").n
      assert(repeated <= recorded, ("%d repeated, %d on record"):format(repeated, recorded))
      assert.equal(0, db:first("SELECT count(*) AS n FROM dead_letters").n)
      db:close()
    end
    s:close()
  end)
end)
