-- A load of the simulated Telegram sees what a bot answers, and what it should not have answered.

local eventually = require "spec.support.eventually"
local json = require "host.json"
local http = require "host.http_client"
local process = require "host.process"
local programs = require "spec.support.process"
local sim = require "parley.sim.telegram"
local task = require "host.task"

describe("a load of the simulated Telegram", function()
  local s, bot, other
  before_each(function()
    s = assert(sim.start { limits = false })
    bot, other = s.world:add_bot { username = "one_bot" }, s.world:add_bot { username = "two_bot" }
  end)
  after_each(function() s:close() end)

  local function take(b)
    local updates = {}
    for i = b.first, b.last do updates[#updates + 1] = b.updates[i] end
    b.first = b.last + 1
    return updates
  end
  local function say(b, chat, text)
    assert.is_true(s:call(b, "sendMessage", { chat_id = chat, text = text }, {}).ok)
  end
  local function echo(b)
    local updates = take(b)
    for _, u in ipairs(updates) do say(b, u.message.chat.id, u.message.text:match "^/echo (%d+)$") end
    return #updates
  end

  it("lets everybody write again when he was answered", function()
    local number = s:act("load", { people = 3, messages = 4 }).load
    for _ = 1, 4 do
      assert.equal(3, echo(bot))
      assert.equal(3, echo(other))
    end
    local seen = s:view("load", { load = number, each = true })
    assert.same({ 24, 24, 0, 0, 0, true },
      { seen.sent, seen.answered, seen.again, seen.disorder, seen.other, seen.done })
    assert.equal(12, seen.bots.one_bot.answered)
    assert.is_true(seen.p50_ms <= seen.p99_ms and seen.p99_ms <= seen.max_ms)
    assert.equal(0, #s:view("messages", { bot = "one_bot", chat = take(bot)[1] or "1" }).messages)
  end)

  it("keeps a rate whoever answers", function()
    s:act("load", { bots = { "one_bot" }, people = 5, messages = 4, rate = 1000, seconds = 60 })
    eventually("all have written", function() return bot.last == 20 end)
    assert.equal(0, other.last)
    assert.same({ 20, 0, false }, { s:view("load").sent, s:view("load").answered, s:view("load").done })
    echo(bot)
    assert.is_true(s:view("load").done)
  end)

  it("stops when it is told to", function()
    s:act("load", { bots = { "one_bot" } })
    assert.is_false(s:view("load").done)
    s:view("load", { stop = true })
    echo(bot)
    local seen = s:view "load"
    assert.same({ 1, 1, true }, { seen.sent, seen.answered, seen.done })
  end)

  it("sees what is doubled, out of order or no answer", function()
    s:act("load", { bots = { "one_bot" }, messages = 3, rate = 10000, seconds = 60 })
    eventually("all have written", function() return bot.last == 3 end)
    local chat = take(bot)[1].message.chat.id
    for _, text in ipairs { "2", "2", "1", "sorry", "3" } do say(bot, chat, text) end
    local seen = s:view "load"
    assert.same({ 3, 1, 3, 1 }, { seen.answered, seen.again, seen.disorder, seen.other })
  end)

  it("refuses bots that there are not", function()
    local result, problem = s:act("load", { bots = { "no_bot" } })
    assert.same({ nil, "there is no bot 'no_bot'" }, { result, problem })
    assert.is_nil(s:view("load", { load = 9 }))
  end)
end)

describe("parley sim telegram", function()
  local p
  after_each(function()
    p:kill "TERM"
    p:wait(60)
  end)

  it("takes messages as fast as they come with --no-limits", function()
    p = assert(process.spawn {
      argv = { programs.EXE, "sim", "telegram", "--no-limits", "--listen=127.0.0.1:0", "--token=7000001:abc" },
    })
    local greeting = ""
    while not greeting:find "token" do greeting = greeting .. assert(p:read(1, 30)) end
    local api = greeting:match "(http://[%d.:]+)/"
    local function post(path, body)
      local r = assert(http.request {
        method = "POST", url = api .. path, body = json.encode(body), allow_private = true,
        headers = { ["Content-Type"] = "application/json" },
      })
      return r.status
    end
    post("/sim/users", { id = 42 })
    post("/sim/send", { bot = "sim_bot", user = 42, text = "hello" })
    local statuses = {}
    for _ = 1, 40 do
      task.spawn(function()
        local status = post("/bot7000001:abc/sendMessage", { chat_id = 42, text = "hi" })
        statuses[status] = (statuses[status] or 0) + 1
      end)
    end
    eventually("forty answers", function()
      local n = 0
      for _, count in pairs(statuses) do n = n + count end
      return n == 40
    end)
    assert.same({ [200] = 40 }, statuses)
  end)
end)
