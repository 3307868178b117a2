-- Updates that the host's thread acknowledges: they are answered however busy the loop is, become turns in their order, and
-- are there after a crash. On PostgreSQL there is no such thread.

local counting = require "spec.support.counting"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local host_intake = require "host.intake"
local json = require "host.json"
local meters = require "parley.ops.meters"
local process = require "spec.support.process"
local sim = require "parley.sim.telegram"
local sqlite = require "host.sqlite"
local task = require "host.task"
local tcp = require "host.tcp"
local time = require "host.time"

describe("updates that a thread acknowledges", function()
  local s, h, bot, ann, admin, last
  local function start(home)
    h = host.start {
      home = home,
      plugins = { talk = { main = counting.MAIN, manifest = { commands = json.array { { name = "count" } } } } },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = false } }, accepted_queue = 20 }")
        :format(bot.token, s:url()),
    }
    admin = h:client("adm", { "admin" })
    eventually("the bot", function() return h.core.telegram.fleet.synced and h.core.telegram.senders.main end)
  end
  local function inlet() return h.core.telegram.inlet end
  local function file() return (h.core.config.database_url:match "^sqlite:(.+)$" or h.home) .. "-intake" end
  local function set_webhook()
    local r = admin("POST", "/api/v1/admin/bots/main/webhook", { url = "http://127.0.0.1:" .. h.port })
    assert.equal(200, r.status, r.text)
    if database.is_postgres then return end
    eventually("the thread", function() return inlet().intake and inlet().allowed.main end)
  end
  before_each(function()
    s = assert(sim.start { limits = false, webhook_timeout = 30, webhook_pause_max = 0.2 })
    s.any_webhook = true
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    assert(s:act("send", { bot = "shop_bot", user = ann.id, text = "/start" })) -- so that the bot may write to Ann
    last = 1000
    start()
    eventually("the first", function() return h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'done'").n == 1 end)
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function update(what)
    last = last + 1
    return counting.update(last, ann, what)
  end
  local function request(value, secret)
    local body = type(value) == "string" and value or json.encode(value)
    return table.concat({
      "POST /tg/webhook/main HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: " .. #body,
      "X-Telegram-Bot-Api-Secret-Token: " .. (secret or h.core.telegram.fleet:get("main").secret), "", body,
    }, "\r\n")
  end
  local function connect() return assert(tcp.connect("127.0.0.1", h.port)) end
  local function answer(c)
    local head = assert(c:read("\r\n\r\n", 30))
    c:read(tonumber(head:match "Content%-Length: (%d+)"), 30)
    return tonumber(head:match "^HTTP/1.1 (%d+)")
  end
  -- As Telegram brings an update.
  local function bring(value, secret)
    local c = connect()
    assert(c:write(request(value, secret)))
    local status = answer(c)
    c:close()
    return status
  end
  local function answers()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user and tonumber(m.text) then out[#out + 1] = m.text end
    end
    return out
  end
  local function rows_of(stats) return stats and stats.rows or 0 end
  local function sample(name)
    return tonumber(meters.registry:render():match("\n" .. name:gsub("%p", "%%%0") .. " (%S+)") or 0)
  end

  if database.is_postgres then
    it("are none where the database is no file: the loop takes them", function()
      set_webhook()
      for _ = 1, 5 do assert.equal(200, bring(update "/count")) end
      eventually("the answers", function() return #answers() == 5 end)
      assert.is_nil(inlet().intake)
      assert.equal(0, inlet():waiting())
    end)
    return
  end

  it("are answered while the loop does something else, on connections old and new", function()
    set_webhook()
    local kept = connect()
    assert(kept:write(request(update "/count")))
    assert.equal(200, answer(kept))
    kept:close()
    local script = [[
import socket, sys
port, done = int(sys.argv[1]), sys.argv[2]
data = open(sys.argv[3], "rb").read()
for fresh in range(3):
    s = socket.create_connection(("127.0.0.1", port))
    for n in range(3):
        s.sendall(data)
        got = b""
        while not got.endswith(b"{}"): got += s.recv(4096)
        assert got.startswith(b"HTTP/1.1 200"), got
open(done, "w").write("all")
]]
    assert(fs.write(h.home .. "/request", request(update "/count")))
    local done = h.home .. "/done"
    local p = task.spawn(process.run, { "python3", "-c", script, tostring(h.port), done, h.home .. "/request" })
    task.sleep(0.05)
    -- From here on the loop does not turn until all of them are answered.
    local until_s = time.mono() + 30
    while fs.read(done) ~= "all" and time.mono() < until_s do end
    assert.equal("all", fs.read(done))
    local good, r = p:join(30)
    assert.is_true(good)
    assert.equal(0, r.code, r.err)
    eventually("one turn of nine that are the same", function() return #answers() == 2 end)
    assert.equal(10, rows_of(inlet().intake:stats()))
    eventually("nothing waits", function() return inlet():waiting() == 0 end)
    assert.same({ "1", "2" }, answers())
    assert.equal(3, h.core.db:first("SELECT count(*) AS n FROM inbox").n)
  end)

  it("keep their order, also with those that the thread leaves to the loop", function()
    set_webhook()
    local c, expected = connect(), {}
    for i = 1, 120 do
      -- What is not quite as usual goes to the loop.
      local text = i % 7 == 0 and request(update "/count"):gsub("application/json", "application/json; charset=utf-8")
        or request(update "/count")
      assert(c:write(text))
      assert.equal(200, answer(c), "update " .. i)
      expected[i] = tostring(i)
    end
    c:close()
    eventually("the answers", function() return #answers() == 120 end)
    assert.same(expected, answers())
    assert.is_true(rows_of(inlet().intake:stats()) >= 100)
  end)

  it("are counted like others", function()
    set_webhook()
    local ok = 'parley_telegram_webhook_requests_total{bot="main",result="ok"}'
    local http = 'parley_http_requests_total{route="/tg/webhook/{bot}",method="POST",status="200"}'
    local before, before_http = sample(ok), sample(http)
    for _ = 1, 3 do assert.equal(200, bring(update "/count")) end
    eventually("the answers", function() return #answers() == 3 end)
    assert.equal(before + 3, sample(ok))
    assert.equal(before_http + 3, sample(http))
  end)

  it("are there after a crash, in their order, and are taken once", function()
    set_webhook()
    -- The loop takes nothing: what is acknowledged stays in the file.
    local take = h.core.telegram.take
    function h.core.telegram.take() return nil, { code = "connect", message = "away", retryable = true } end
    local updates = {}
    for i = 1, 6 do
      updates[i] = update "/count"
      assert.equal(200, bring(updates[i]))
    end
    assert.equal(6, inlet():waiting())
    assert.equal(6, sample "parley_telegram_webhook_waiting")
    h.core.telegram.take = take
    h:stop()
    -- Two of them are in the inbox as well: the crash came before they were forgotten.
    local db = assert(sqlite.open { path = file() })
    assert.equal(6, db:first("SELECT count(*) AS n FROM updates").n)
    assert(db:commit { { "INSERT INTO updates (source, body) SELECT source, body FROM updates WHERE id < 3" } })
    assert(db:commit { { "INSERT INTO updates (source, body) VALUES ('gone', '{\"update_id\":1}')" } })
    assert(db:commit { { "INSERT INTO updates (source, body) VALUES ('main', '{\"update_id\":1,\"a\":1,\"a\":2}')" } })
    db:close()
    start(h.home)
    eventually("the answers", function() return #answers() == 6 end)
    eventually("nothing waits", function() return inlet():waiting() == 0 end)
    assert.same({ "1", "2", "3", "4", "5", "6" }, answers())
    assert.equal(7, h.core.db:first("SELECT count(*) AS n FROM inbox").n)
    h:stop()
    db = assert(sqlite.open { path = file() })
    assert.equal(0, db:first("SELECT count(*) AS n FROM updates").n)
    db:close()
    start(h.home)
  end)

  it("are taken up when the bot has no webhook any more", function()
    set_webhook()
    local take = h.core.telegram.take
    function h.core.telegram.take() return nil, { code = "connect", message = "away", retryable = true } end
    assert.equal(200, bring(update "/count"))
    assert.equal(200, admin("DELETE", "/api/v1/admin/bots/main/webhook").status)
    h.core.telegram.take = take
    h:stop()
    start(h.home)
    eventually("the answer", function() return #answers() == 1 end)
  end)

  it("have a bound: what is more is told to come again, and comes in its order", function()
    set_webhook()
    local take = h.core.telegram.take
    function h.core.telegram.take() return nil, { code = "busy", message = "too many", retryable = true } end
    local statuses = {}
    for i = 1, 20 do statuses[i] = bring(update "/count") end
    for i = 1, 20 do assert.equal(200, statuses[i]) end
    local late = update "/count"
    assert.equal(503, bring(late))
    h.core.telegram.take = take
    eventually("nothing waits", function() return inlet():waiting() == 0 end)
    assert.equal(200, bring(late))
    eventually("the answers", function() return #answers() == 21 end)
  end)

  it("are not taken while the bot is paused, nor with the secret before", function()
    set_webhook()
    assert.equal(200, bring(update "/count"))
    assert.equal(200, admin("POST", "/api/v1/admin/bots/main/pause").status)
    eventually("it is paused", function() return bring(update "/count") == 503 end)
    assert.equal(200, admin("POST", "/api/v1/admin/bots/main/resume").status)
    eventually("it goes on", function() return bring(update "/count") == 200 end)
    assert.equal(401, bring(update "/count", "x"))
  end)

  it("wait for the file while another process has it, and go the other way meanwhile", function()
    local other = assert(host_intake.open { path = file(), prefix = "/", header = "X", field = "x" })
    local r = admin("POST", "/api/v1/admin/bots/main/webhook", { url = "http://127.0.0.1:" .. h.port })
    assert.equal(200, r.status, r.text)
    assert.equal(200, bring(update "/count"))
    eventually("the answer", function() return #answers() == 1 end)
    assert.is_nil(inlet().intake)
    other:close()
    eventually("the thread", function() return inlet().intake end)
    assert.equal(200, bring(update "/count"))
    eventually("the answer", function() return #answers() == 2 end)
    assert.equal(1, rows_of(inlet().intake:stats()))
  end)
end)
