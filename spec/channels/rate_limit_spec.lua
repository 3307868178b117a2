-- /metrics/telegram-rate-limit: what each bot sends, and what it waits for.

local endpoints = require "parley.ops.endpoints"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local http = require "host.http_client"
local http_server = require "host.http_server"
local json = require "host.json"
local outlets = require "spec.support.outlet"
local sim = require "parley.sim.telegram"

describe("the report of what bots send", function()
  local s, h, ops, bot, ann
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    h = host.start { config = ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url()) }
    ops = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, endpoints.new(h.core)))
  end)
  after_each(function()
    ops:close()
    h:stop()
    s:close()
  end)

  local function report()
    local r = assert(http.request {
      url = ("http://127.0.0.1:%d/metrics/telegram-rate-limit"):format(ops:port()), allow_private = true,
    })
    assert.equal(200, r.status)
    return json.decode(r.body)
  end
  local function of(name)
    for _, b in ipairs(report().bots) do if b.bot == name then return b end end
    return {}
  end

  it("counts sends by method and code, refusals and waits, and tells the age of what waits", function()
    local before = of "main"
    local function more(value, was) return value - (was or 0) end
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/echo hi" })
    eventually("it is sent", function()
      return more(((of("main").sends or {}).sendMessage or {}).ok or 0, ((before.sends or {}).sendMessage or {}).ok) == 1
    end)
    s:act("faults", { kind = "status", status = 429, retry_after = 600, method = "sendMessage" })
    s:act("send", { bot = "shop_bot", user = ann.id, text = "/echo waits" })
    local b = eventually("it waits", function()
      local now = of "main"
      return (now.outbox or {}).reply and now.chats_waiting == 1 and now
    end)
    assert.equal(1, more(b.sends.sendMessage.rate_limited, ((before.sends or {}).sendMessage or {}).rate_limited))
    assert.equal(1, more(b.refused.chat, (before.refused or {}).chat))
    assert.equal(600, more(b.told_to_wait_seconds, before.told_to_wait_seconds))
    assert.equal(1, b.outbox.reply.rows)
    assert.is_true(b.outbox.reply.oldest_seconds >= 0)
    assert.equal(1, b.waiting.reply)
    assert.equal(30, b.broadcasts_per_second)
    assert.is_true(b.updates.message > 0)
    assert.equal(1, report().limits.chat_per_second)
    assert.equal("ok", report().database)
  end)

  it("is bounded, however many bots there are", function()
    local rig = outlets.new(h.core.db)
    for i = 1, 130 do
      local name = ("bot%03d"):format(i)
      local calls = {}
      for k = 1, i do calls[k] = { chat = k, text = "x" } end
      rig:store(name, calls)
    end
    local r = report()
    assert.equal(100, #r.bots)
    assert.is_true(r.left_off >= 30)
    assert.equal("bot130", r.bots[1].bot)
    assert.equal(130, r.bots[1].outbox.reply.rows)
    rig:close()
  end)
end)
