-- What a person sees while a plugin works: "typing ...", and presses that are answered in time.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local sim = require "parley.sim.telegram"
local slow_server = require "spec.support.slow_server"

local MAIN = [[
local p = parley.plugin()
local function wait(c, seconds) return c.http:get(c.config.url .. '?seconds=' .. seconds) end
p.on.command('quick', function(c) c:reply 'quick' end)
p.on.command('slow', function(c) wait(c, 2) c:reply 'slow' end)
p.on.command('sign', function(c) c:typing() wait(c, 0.7) c:reply 'signed' end)
p.on.command('ask', function(c)
  c:reply { text = 'Which?', buttons = { { { text = 'slow', data = { go = 'slow' } },
    { text = 'silent', data = { go = 'silent' } }, { text = 'quick', data = { go = 'quick' } },
    { text = 'fail', data = { go = 'fail' } } } } }
end)
p.on.callback({ go = 'string' }, function(c, data)
  if data.go == 'fail' then wait(c, 2) error 'no' end
  if data.go ~= 'quick' then wait(c, 2) end
  if data.go == 'silent' then return c:reply 'silent done' end
  c:answer(data.go .. ' answered', { alert = true })
end)
return p
]]

local COMMANDS = {}
for i, name in ipairs { "quick", "slow", "sign", "ask" } do COMMANDS[i] = { name = name } end

describe("while a plugin works", function()
  local s, h, bot, ann, slow
  local function start(typing_seconds, press_seconds)
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = COMMANDS, permissions = { "http:127.0.0.1:" .. slow.port },
        config = { type = "object", properties = { url = { type = "string" } } } } } },
      config = ([[return {
        telegram = { token = %q, api = %q, typing_seconds = %g, press_seconds = %g, limits = { paced = false } },
        fallback_plugin = 'talk',
        plugins = { talk = { url = 'http://127.0.0.1:%d/', allow_private = true } },
      }]]):format(bot.token, s:url(), typing_seconds, press_seconds, slow.port),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    slow = slow_server()
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann" }
  end)
  after_each(function()
    h:stop()
    slow.close()
    s:close()
  end)

  local function write(text) assert(s:act("send", { bot = "shop_bot", user = ann.id, text = text })) end
  -- What has happened, in its order: texts of the bot, its signs (once each), its answers to presses.
  local function seen(what)
    local out = {}
    for _, e in ipairs(s.world:events_after(0)) do
      local text = e.type == "message" and e.message.from == bot.user and e.message.text or e.type == "action" and e.action
        or e.type == "callback_answer" and "answer:" .. (e.text or "") .. (e.show_alert and "!" or "")
      if text and (not what or text:find(what)) and out[#out] ~= text then out[#out + 1] = text end
    end
    return out
  end
  local function until_seen(last, what)
    eventually(last, function() return seen(what)[#seen(what)] == last end)
    return seen(what)
  end
  local function press(button)
    write "/ask"
    until_seen "Which?"
    assert(s:act("press", { bot = "shop_bot", user = ann.id, message_id = 2, button = button }))
  end

  it("shows that it is typing when that takes a while, and never after the answer", function()
    start(0.4, 14)
    write "/slow"
    assert.same({ "typing", "slow" }, until_seen "slow")
  end)

  it("shows it at once when the plugin says so", function()
    start(3600, 14)
    write "/sign"
    assert.same({ "typing", "signed" }, until_seen "signed")
    write "/quick"
    assert.same({ "typing", "signed", "quick" }, until_seen "quick")
  end)

  it("answers a press itself in time, and says later what there is to say", function()
    start(3600, 0.5)
    press "slow"
    assert.same({ "answer:", "slow answered" }, until_seen("slow answered", "answer"))
  end)

  it("says nothing more where there is nothing to say", function()
    start(3600, 0.5)
    press "silent"
    assert.same({ "answer:", "silent done" }, until_seen("silent done", "^[as][ni][sl]"))
    eventually("all is sent", function()
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'open'").n == 0
    end)
    assert.equal(1, s.counts["answerCallbackQuery 200"])
    assert.is_nil(s.counts["answerCallbackQuery 400"])
  end)

  it("leaves the answer to the plugin that is quick", function()
    start(3600, 14)
    press "quick"
    assert.same({ "Which?", "answer:quick answered!" }, until_seen "answer:quick answered!")
  end)

  it("answers the press of a plugin that fails", function()
    start(3600, 0.5)
    press "fail"
    eventually("it is answered", function() return s.counts["answerCallbackQuery 200"] end)
  end)

  it("answers presses that are nobody's", function()
    start(3600, 0.5)
    s.world.queries["inline-1"] = { bot = bot, at = s.world.clock(), chat_id = ann.id }
    assert(s:act("update", { bot = "shop_bot", update = { callback_query = {
      id = "inline-1", from = ann, inline_message_id = "x", chat_instance = "1", data = "?",
    } } }))
    eventually("it is answered", function() return s.world.queries["inline-1"].answered end)
  end)
end)
