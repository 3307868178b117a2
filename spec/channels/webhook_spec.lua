-- The webhook of a bot, against the simulated Telegram and against strangers.

local counting = require "spec.support.counting"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local meters = require "parley.ops.meters"
local sim = require "parley.sim.telegram"
local task = require "host.task"
local webhook = require "parley.channels.telegram.webhook"

local MAIN = [[
local p = parley.plugin()
p.on.command('count', function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply(tostring(c.session.n))
end)
p.on.any(function(c) c:reply(c.message.type) end)
return p
]]

describe("the webhook of a bot", function()
  local s, h, bot, ann
  before_each(function()
    s = assert(sim.start { limits = false, webhook_timeout = 30, webhook_pause_max = 0.2 })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = {
        commands = json.array { { name = "count" } },
      } } },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk' }")
        :format(bot.token, s:url()),
    }
    eventually("the bot", function() return h.core.telegram.fleet.synced and h.core.telegram.senders.main end)
  end)
  after_each(function()
    eventually("the last turn", function() return not h.core.lanes:busy() end)
    h:stop()
    s:close()
  end)

  local function secret() return h.core.telegram.fleet:get "main".secret end

  -- As Telegram brings an update.
  local function bring(update, o)
    o = o or {}
    local headers = { ["X-Telegram-Bot-Api-Secret-Token"] = o.secret or secret() }
    if o.secret == false then headers = {} end
    return h:request("POST", "/tg/webhook/" .. (o.bot or "main"), update, { token = false, headers = headers, type = o.type })
  end

  local last = 0
  local function text(what)
    last = last + 1
    return counting.update(last, ann, what)
  end

  local function answers()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end

  local function call(method, params)
    local reply = s:call(bot, method, params or {}, {})
    assert(reply.ok, reply.description)
    return reply.result
  end

  local function hook(more)
    local given = {
      url = ("http://127.0.0.1:%d/tg/webhook/main"):format(h.port), secret_token = secret(),
    }
    for k, v in pairs(more or {}) do given[k] = v end
    assert(call("setWebhook", given))
  end

  local function write(what) assert(s:act("send", { bot = "shop_bot", user = ann.id, text = what })) end

  it("takes what Telegram brings, and answers when it is durable", function()
    write "/start" -- so that the bot may write to Ann
    hook()
    eventually("an answer", function() return #answers() == 1 end)
    -- Its turn cannot end before the lane of its chat is free.
    local lane = "tg:main:" .. ann.id
    assert(h.core.lanes:enter(lane, 30))
    local r = bring(text "/count")
    assert.same({ 200, "{}" }, { r.status, r.text })
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
    h.core.lanes:leave(lane)
    eventually("the answer", function() return answers()[2] == "1" end)
    assert.matches('\nparley_telegram_webhook_requests_total{bot="main",result="ok"} %d', meters.registry:render())
  end)

  it("keeps the order of a chat, and loses nothing on the way from polling to a webhook and back", function()
    local expected = {}
    for i = 1, 90 do
      write "/count"
      expected[i] = tostring(i)
      if i == 30 then hook { max_connections = 10 } end
      if i == 60 then call "deleteWebhook" end
      if i % 10 == 0 then task.sleep(0.01) end
    end
    eventually("all answers", function() return #answers() >= 90 end)
    assert.same(expected, answers())
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state <> 'done'").n)
  end)

  it("takes an update once, however often it comes and while it is in work", function()
    write "/start"
    hook()
    eventually("an answer", function() return #answers() == 1 end)
    local update, all = text "/count", {}
    for i = 1, 20 do all[i] = task.spawn(function() return bring(update).status end) end
    for i = 1, 20 do
      local ok, status = all[i]:join(30)
      assert.same({ true, 200 }, { ok, status })
    end
    eventually("the answer", function() return answers()[2] == "1" end)
    assert.equal(200, bring(update).status)
    assert.equal(200, bring(text "/count").status)
    eventually("the next", function() return #answers() == 3 end)
    assert.equal("2", answers()[3])
  end)

  it("answers strangers alike, whatever bot they name, and stores nothing of theirs", function()
    local before = h:count "inbox"
    local seen = {}
    for i, o in ipairs {
      { secret = false }, { secret = "wrong" }, { secret = secret() .. "x" }, { secret = secret():sub(1, -2) },
      { bot = "nobody" }, { bot = "nobody", secret = "" }, { bot = "%2e%2e" },
    } do
      local r = bring(text "hello", o)
      r.body.trace_id = nil
      r.headers.date, r.headers["x-trace-id"], r.headers["content-length"] = nil, nil, nil
      seen[i] = { r.status, r.body, r.headers }
      assert.same(seen[1], seen[i])
    end
    assert.equal(401, seen[1][1])
    assert.equal("unauthorized", seen[1][2].code)
    local r = bring(nil, { secret = "wrong" }) -- what is in the body was not looked at
    assert.equal(401, r.status)
    assert.equal(before, h:count "inbox")
  end)

  it("refuses a secret that stands twice", function()
    local both = secret() .. "\r\nX-Telegram-Bot-Api-Secret-Token: x"
    assert.equal(401, bring(text "hello", { secret = both }).status)
  end)

  it("sends an address away that goes on with wrong secrets, and never Telegram", function()
    local statuses = {}
    for i = 1, 25 do statuses[i] = bring(text "hello", { secret = "wrong" }).status end
    assert.same({ 401, 401, 429, 429 }, { statuses[1], statuses[20], statuses[21], statuses[25] })
    local r = bring(text "hello", { bot = "nobody" })
    assert.equal(429, r.status)
    assert.is_true(tonumber(r.headers["retry-after"]) >= 1)
    assert.equal(200, bring(text "hello").status)
    -- One row of the audit for all of them.
    eventually("the audit", function()
      return h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'webhook_refused'").n == 1
    end)
    local details = json.decode(h.core.db:first("SELECT details FROM audit_logs WHERE action = 'webhook_refused'").details)
    assert.same({ address = "127.0.0.1", attempts = 1 }, details)
  end)

  it("tells the audit how many attempts there were since, a minute later", function()
    local now, rows = 1000, {}
    local w = webhook.new {
      telegram = { fleet = { synced = true, get = function() end } }, log = function() end,
      db = { commit = function(_, statements) rows[#rows + 1] = statements[1] end }, clock = function() return now end,
    }
    local function try(address)
      local _, err = w:admit {
        params = { bot = "shop" },
        req = { header = function() end, count = function() return 0 end, remote = function() return address end },
      }
      return err.code
    end
    for _ = 1, 30 do try "1.2.3.4" end
    assert.equal("rate_limited", try "1.2.3.4")
    assert.equal("unauthorized", try "1.2.3.5")
    for _ = 1, 20 do try "2001:db8:1:2:3::4" end
    assert.equal("rate_limited", try "2001:db8:1:2:ffff::5")
    assert.equal("unauthorized", try "2001:db8:1:3::4")
    now = now + 61
    assert.equal("unauthorized", try "1.2.3.4")
    eventually("two rows", function() return #rows == 2 end)
  end)

  it("refuses what is no update, and brings nothing of it into the inbox", function()
    local before = h:count "inbox"
    for body, code in pairs {
      ["{"] = "invalid_json", ["[]"] = "validation_failed", ["{}"] = "validation_failed",
      ['{"update_id": "1"}'] = "validation_failed", ['{"update_id": 1.5}'] = "validation_failed",
      ['{"update_id": 1, "update_id": 2}'] = "invalid_json", ['{"update_id": -1}'] = "validation_failed",
      ['{"update_id": 1, "message": "\255"}'] = "invalid_utf8", [""] = "invalid_json",
    } do
      local r = bring(body)
      assert.same({ 400, code }, { r.status, r.body.code }, body)
    end
    assert.equal("unsupported_media_type", bring(text "x", { type = "text/plain" }).body.code)
    assert.equal(before, h:count "inbox")
    assert.equal(200, bring('{"update_id": 1, "something_new": {"a": [1, {}]}}').status)
  end)

  it("has Telegram repeat while the database is away, and takes it once when it is back", function()
    write "/start"
    hook()
    eventually("an answer", function() return #answers() == 1 end)
    local accept = h.core.turn.accept
    function h.core.turn.accept()
      return nil, { code = "connect", message = "no server", retryable = true, op = "postgres.commit" }
    end
    local r = bring(text "/count")
    assert.same({ 503, "storage_failed" }, { r.status, r.body.code })
    assert.is_true(tonumber(r.headers["retry-after"]) >= 1)
    write "/count"
    eventually("repetitions", function()
      return (call "getWebhookInfo".last_error_message or ""):find "503"
    end)
    h.core.turn.accept = accept
    eventually("the answer", function() return answers()[2] == "1" end)
    eventually("nothing waits", function() return call "getWebhookInfo".pending_update_count == 0 end)
    assert.equal(2, #answers())
  end)

  it("waits a moment for a place, which is sooner than Telegram would come again", function()
    local queue = h.core.turn.queue
    local n = queue:room "tg:main"
    assert(queue:reserve("tg:main", n))
    local status
    local waiting = task.spawn(function() status = bring(text "/count").status end)
    eventually("it waits", function() return queue.sources["tg:main"].left ~= nil end)
    assert.is_nil(status)
    queue:release("tg:main", n)
    assert(waiting:join())
    assert.equal(200, status)
  end)

  it("has Telegram repeat while too many are under way, and while the bot is paused", function()
    local take = h.core.telegram.take
    function h.core.telegram.take() return nil, { code = "busy", message = "too many", retry_after = 2 } end
    local r = bring(text "/count")
    assert.same({ 503, "busy", "2" }, { r.status, r.body.code, r.headers["retry-after"] })
    h.core.telegram.take = take
    local main = h.core.telegram.fleet:get "main"
    main.state = "paused"
    r = bring(text "/count")
    assert.same({ 503, "60" }, { r.status, r.headers["retry-after"] })
    main.state = "active"
    assert.equal(200, bring(text "/count").status)
  end)

  it("asks for patience until it knows the bots", function()
    h.core.telegram.fleet.synced = nil
    assert.equal(503, bring(text "hello").status)
    assert.equal(503, bring(text "hello", { bot = "nobody" }).status)
    h.core.telegram.fleet.synced = true
    assert.equal(200, bring(text "hello").status)
  end)
end)
