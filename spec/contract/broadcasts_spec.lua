-- Broadcasts as operators order them: over HTTP, and at the command line.

local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local process = require "spec.support.process"
local sim = require "parley.sim.telegram"

local PATH = "/api/v1/admin/broadcasts"

describe("an operator", function()
  local s, h, bot, ann, call
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    h = host.start {
      config = ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url()),
    }
    s:act("send", { bot = "shop_bot", user = ann.id, text = "hello" })
    eventually("she is known", function() return h:count "dialogs" == 1 end)
    call = h:client("adm", { "admin" })
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local NEWS = { label = "news", actions = { { type = "send", text = { en = "news", uk = "новини" } } } }

  local function create(body, key)
    return call("POST", PATH, body or NEWS, key and { ["Idempotency-Key"] = key })
  end

  it("makes a broadcast, starts it and reads its report", function()
    local made = create()
    assert.same({ 201, "draft", "main", "en", 0 },
      { made.status, made.body.state, made.body.bot, made.body.locale, made.body.progress.sent })
    local one = PATH .. "/" .. made.body.id
    local started = call("POST", one .. "/start", "")
    assert.same({ 200, "running" }, { started.status, started.body.state })
    local b = eventually("it is done", function()
      local r = call("GET", one, "")
      return r.body.state == "done" and r.body
    end)
    assert.same({ 1, 1, 100 }, { b.progress.recipients, b.progress.sent, b.progress.percent })
    assert.truthy(b.finished_at)
    local report = call("GET", one .. "/report", "")
    assert.same({ 200, "done", {} }, { report.status, report.body.broadcast.state, report.body.reasons })
    assert.same({ results = {} }, call("GET", one .. "/results?result=blocked", "").body)
    assert.equal(made.body.id, call("GET", PATH .. "?limit=1", "").body.broadcasts[1].id)
    local events = {}
    for _, row in ipairs(h.core.db:query "SELECT action, source FROM audit_logs WHERE action LIKE 'broadcast%' ORDER BY id") do
      events[#events + 1] = row.action
      assert.matches(row.action == "broadcast_done" and "^core$" or "^token:", row.source)
    end
    assert.same({ "broadcast_created", "broadcast_started", "broadcast_done" }, events)
  end)

  it("makes it once, however often the request is sent", function()
    local first, second = create(nil, "k1"), create(nil, "k1")
    assert.equal(first.text, second.text)
    assert.equal("true", second.headers["idempotency-replayed"])
    assert.equal(1, h:count "broadcasts")
    local one = PATH .. "/" .. first.body.id
    local at = { at = "2090-01-01T00:00:00Z" }
    local a = call("POST", one .. "/start", at, { ["Idempotency-Key"] = "k2" })
    local b = call("POST", one .. "/start", at, { ["Idempotency-Key"] = "k2" })
    assert.same({ "scheduled", "2090-01-01T00:00:00.000Z", a.text }, { a.body.state, a.body.start_at, b.text })
    assert.equal(1, h.core.db:first("SELECT count(*) AS n FROM audit_logs WHERE action = 'broadcast_started'").n)
  end)

  it("is told what is wrong", function()
    local function refused(status, code, words, r)
      assert.same({ status, code }, { r.status, r.body.code })
      assert.matches(words, r.body.detail)
    end
    refused(400, "validation_failed", "^/actions: is missing", create {})
    refused(400, "validation_failed", "^/bot: there is no bot 'other'", create { bot = "other", actions = NEWS.actions })
    refused(400, "validation_failed", "^/actions/0: only actions of type 'send'", create { actions = { { type = "close" } } })
    refused(400, "validation_failed", "no user 'x'", create { actions = NEWS.actions, audience = { users = { "x" } } })
    refused(400, "validation_failed", "audience/listed: is not a known field",
      create { actions = NEWS.actions, audience = { listed = 1 } })
    refused(404, "broadcast_not_found", "no broadcast 'x%?y'", call("GET", PATH .. "/x.y", ""))
    local one = PATH .. "/" .. create().body.id
    refused(409, "conflict", "the broadcast is draft: only one that is running can be paused", call("POST", one .. "/pause", ""))
    assert.equal(200, call("POST", one .. "/cancel", { reason = "no" }).status)
    refused(409, "conflict", "the broadcast is cancelled", call("POST", one .. "/start", ""))
    assert.equal(403, h:client("adm", { "events:read" })("GET", PATH, "").status)
  end)

  it("loses those of a bot that is removed, whichever bot comes under its name", function()
    local other = s.world:add_bot { username = "other_bot" }
    assert.equal(201, call("POST", "/api/v1/admin/bots", { name = "other", token = other.token }).status)
    local id = create({ bot = "other", actions = NEWS.actions }).body.id
    assert.equal(200, call("POST", PATH .. "/" .. id .. "/start", { at = "2090-01-01T00:00:00Z" }).status)
    assert.equal(200, call("DELETE", "/api/v1/admin/bots/other", "").status)
    local b = call("GET", PATH .. "/" .. id, "").body
    assert.equal("cancelled", b.state)
    assert.truthy(b.finished_at)
    eventually("nothing is to be done for it", function()
      return h.core.db:first("SELECT live FROM broadcasts WHERE id = $1", id).live == 0
    end)
  end)

  it("lists page by page", function()
    local ids = {}
    for i = 3, 1, -1 do ids[i] = create().body.id end
    local page = call("GET", PATH .. "?limit=2", "").body
    assert.same({ ids[1], ids[2], ids[2] }, { page.broadcasts[1].id, page.broadcasts[2].id, page.next_cursor })
    page = call("GET", PATH .. "?limit=2&cursor=" .. page.next_cursor, "").body
    assert.same({ ids[3] }, { page.broadcasts[1].id, page.next_cursor })
  end)

  it("gives a list of recipients in a file, at the command line", function()
    local path = h.home .. "/to.txt"
    local env = database.variables(h.home)
    local function run(text)
      assert(fs.write(path, text))
      return process.parley({ "broadcast", "create", "--home", h.home, "--text", "hi", "--to", path },
        { stderr = "stdout", env = env })
    end
    local r = run(("%d\n  tg:main:-5 \n\n%d\n"):format(ann.id, ann.id))
    assert.equal(0, r.code, r.out)
    local rows = h.core.db:query("SELECT dialog_id FROM broadcast_recipients WHERE broadcast_id = $1 ORDER BY dialog_id",
      r.out:match "%S+")
    assert.same({ "tg:main:-5", "tg:main:" .. ann.id, 2 }, { rows[1].dialog_id, rows[2].dialog_id, #rows })
    r = run "12\nann\n"
    assert.equal(64, r.code)
    assert.matches("to.txt:2: an id of Telegram or of a dialog expected, got 'ann'", r.out)
  end)
end)
