-- How fast a bot sends: by a clock of the spec's own.

local api = require "parley.channels.telegram.api"
local eventually = require "spec.support.eventually"
local pace = require "parley.channels.telegram.sending.pace"
local queue = require "parley.channels.telegram.sending.queue"
local sim = require "parley.sim.telegram"
local task = require "host.task"
local time = require "host.time"
local timers = require "parley.channels.telegram.sending.timers"

local LIMITS = { paced = true, chat_per_second = 1, chat_burst = 3, group_per_minute = 20, bot_per_second = 30 }
local MESSAGE = { method = "sendMessage", params = {} }

describe("the pace of a bot", function()
  local p, now
  before_each(function() p, now = pace.new(LIMITS), 1000 end)

  -- Sends as soon as it may, until a time; returns when.
  local function send_until(chat, last, delivery)
    local times = {}
    while true do
      now = now + p:chat_wait(chat, delivery or MESSAGE, now)
      if now > last then return times end
      p:take(chat, delivery or MESSAGE, now)
      times[#times + 1] = now
    end
  end

  -- The most that fall into any window of so many seconds.
  local function most_in(times, seconds)
    local most = 0
    for i, from in ipairs(times) do
      local n = 0
      for k = i, #times do if times[k] < from + seconds then n = n + 1 end end
      most = math.max(most, n)
    end
    return most
  end

  it("is a message a second in a chat, after a short burst", function()
    local times = send_until(queue.new("1", 1), now + 60)
    assert.equal(63, #times)
    assert.equal(1000, times[3])
    assert.is_true(times[4] > 1000.9)
    assert.equal(4, most_in(times, 1.5))
  end)

  it("is 20 a minute in a group, whatever minute", function()
    local times = send_until(queue.new("-1", -1), now + 600)
    assert.equal(20, most_in(times, 60))
    assert.is_true(#times >= 198, tostring(#times))
  end)

  it("counts each picture of an album, and no typing", function()
    local album = { method = "sendMediaGroup", params = { media = { 1, 2, 3, 4, 5 } } }
    local chat = queue.new("-1", -1)
    local times = send_until(chat, now + 59, album)
    assert.equal(4, #times)
    assert.equal(0, p:chat_wait(chat, { method = "sendChatAction", params = {} }, now))
  end)

  it("waits as Telegram says, in that chat, with that method, and is slower for a while", function()
    local chat, other = queue.new("1", 1), queue.new("2", 2)
    assert.is_false(p:refused(chat, MESSAGE, 35, now))
    assert.equal(35, p:chat_wait(chat, MESSAGE, now))
    assert.is_true(p:chat_wait(chat, { method = "deleteMessage", params = {} }, now) == 0)
    assert.equal(0, p:chat_wait(other, MESSAGE, now))
    assert.equal(0, p:bot_wait(2, now))
    now = now + 35
    assert.equal(20, #send_until(chat, now + 38)) -- half as fast, nearly no burst: 2 s each
    now = now + 1000
    assert.equal(0, p:chat_wait(chat, MESSAGE, now))
    assert.equal(63, #send_until(chat, now + 60))
    assert.is_false(p:is_rested(chat, now - 1))
    assert.is_true(p:is_rested(chat, now + 10))
  end)

  it("takes the same wait of several chats for that of the bot", function()
    for i = 1, 3 do
      assert.equal(i == 3, p:refused(queue.new(tostring(i), i), MESSAGE, 7, now + i / 10))
    end
    assert.equal(0, p:bot_wait(1, now)) -- answers
    for rank = 2, 5 do assert.is_true(p:bot_wait(rank, now) > 7) end
    assert.equal(1, p.width)
    assert.equal(15, p.rate)
    for _ = 1, 40 do p:succeeded() end
    assert.equal(30, p.width)
    p:bot_wait(5, now + 100)
    p:bot_wait(5, now + 200)
    assert.equal(30, p.rate)
  end)

  it("does not take for the bot's what chats are told each for itself", function()
    for i = 1, 30 do
      assert.is_false(p:refused(queue.new(tostring(i), i), MESSAGE, 10 * i, now + i / 100))
    end
    assert.equal(0, p:bot_wait(2, now + 1))
  end)

  it("lets broadcasts have what is left of 30 a second", function()
    local function broadcasts(seconds)
      local n, last = 0, now + seconds
      while true do
        now = now + p:bot_wait(5, now)
        if now > last then return n end
        n = n + 1
        p:take(queue.new(tostring(n), n), MESSAGE, now)
      end
    end
    assert.is_true(math.abs(broadcasts(10) - 330) <= 1)
    for i = 1, 20 do p:take(queue.new("r" .. i, i), MESSAGE, now) end
    assert.is_true(math.abs(broadcasts(1) - 10) <= 2)
  end)

  it("is only what Telegram says when it is told so", function()
    p = pace.new { paced = false, chat_per_second = 1, chat_burst = 3, group_per_minute = 20, bot_per_second = 30 }
    local chat = queue.new("-1", -1)
    for _ = 1, 100 do
      assert.equal(0, p:chat_wait(chat, MESSAGE, now))
      p:take(chat, MESSAGE, now)
    end
    p:refused(chat, MESSAGE, 3, now)
    assert.equal(3, p:chat_wait(chat, MESSAGE, now))
  end)
end)

describe("a call of the Bot API", function()
  it("is told to wait from a second to a day, whatever stands there", function()
    local s = assert(sim.start())
    local bot = s.world:add_bot {}
    local client = api.new { token = bot.token, url = s:url() }
    for given, expected in pairs { [-5] = 1, [0] = 1, [12] = 12, [1e12] = 86400 } do
      s:act("faults", { kind = "status", status = 429, retry_after = given, method = "sendMessage" })
      local _, err = client:call("sendMessage", { chat_id = 1, text = "x" })
      assert.same({ "rate_limited", expected }, { err.code, err.retry_after })
    end
    s:close()
  end)
end)

describe("timers", function()
  it("fire in the order of their times, from one task, and survive one that fails", function()
    local logged, fired = 0, {}
    local t = timers.new(function() logged = logged + 1 end)
    local now = time.mono()
    for _, ms in ipairs { 30, 10, 20, 5, 25, 15 } do
      t:at(now + ms / 1000, function(a, b)
        fired[#fired + 1] = a .. b
        if a == 15 then error "out of luck" end
      end, ms, "ms")
    end
    task.sleep(0)
    t:at(now + 0.001, function() fired[#fired + 1] = "first" end)
    eventually("all", function() return #fired == 7 end)
    assert.same({ "first", "5ms", "10ms", "15ms", "20ms", "25ms", "30ms" }, fired)
    assert.equal(1, logged)
    t:close()
  end)
end)
