-- Values and event streams that instances share: in Redis, and in the database while it is away.

local config = require "parley.config"
local core = require "parley.core"
local database = require "spec.support.database"
local host = require "spec.support.host"
local http_client = require "host.http_client"
local json = require "host.json"
local redis = require "host.redis"
local servers = require "spec.support.redis"
local shared = require "parley.shared"
local task = require "host.task"
local time = require "host.time"
local wait = require("spec.support.process").eventually

local server

local function start(url)
  return host.start { config = ("return { redis_url = %q }"):format(url or server.url) }
end

local function client() return assert(redis.open { url = server.url }) end

-- The events of a stream, in order.
local function events(r, stream)
  local out = {}
  for i, entry in ipairs(assert(r:call("XRANGE", stream, "-", "+"))) do
    assert.equal("event", entry[2][1])
    out[i] = assert(json.decode(entry[2][2]))
  end
  return out
end

local function mode(h, expected)
  wait("the mode is " .. expected, function() return h.core.shared:mode() == expected end)
end

local function published(h)
  wait("all is published", function() return h:count "streams" == 0 end)
end

local function changes(h)
  local rows = assert(h.core.db:query("SELECT severity, details, trace_id FROM audit_logs "
    .. "WHERE action = 'mode_changed' ORDER BY id"))
  for _, row in ipairs(rows) do row.details = json.decode(row.details) end
  return rows
end

-- Another instance on the same database and Redis.
local function beside(h)
  local env = { PARLEY_DATABASE_URL = h.core.config.database_url, PARLEY_REDIS_URL = server.url }
  local home = host.temp_dir()
  local cfg = assert(config.load(home, { getenv = function(name) return env[name] end }))
  local other = assert(core.new(cfg))
  assert(other:begin())
  assert(other:listen { host = "127.0.0.1", port = 0 })
  return setmetatable({ core = other, home = home, port = other.server:port(), token = h.token }, getmetatable(h))
end

local Talk = {}
Talk.__index = Talk

-- Six dialogs, each message of one to the next instance, until it is finished.
local function talk_to(hosts)
  local self = setmetatable({ said = {}, tasks = {} }, Talk)
  for d = 1, 6 do
    local said = {}
    self.said[d] = said
    self.tasks[d] = task.spawn(function()
      repeat
        local answer = hosts[#said % #hosts + 1]:say("d" .. d, "hello " .. #said)
        assert.equal(200, answer.status)
        said[#said + 1] = answer.body.trace_id
        task.sleep(0.002)
      until self.enough
    end)
  end
  return self
end

function Talk:finish()
  self.enough = true
  for _, t in ipairs(self.tasks) do assert(t:join()) end
end

-- Every event is there, and the turns of each dialog are in the order in which they were taken. One
-- that was published twice counts where it came first.
local function check_events(h, list, talk)
  local place, seen = {}, {}
  for i, e in ipairs(list) do
    place[e.trace_id] = place[e.trace_id] or i
    seen[e.id] = true
  end
  for _, said in ipairs(talk.said) do
    for i, trace in ipairs(said) do
      assert.is_truthy(place[trace])
      assert.is_true(i == 1 or place[said[i - 1]] < place[trace])
    end
  end
  for _, row in ipairs(h.core.db:query "SELECT id FROM audit_logs WHERE action LIKE 'plugin_invocation_%'") do
    assert.is_true(seen[row.id])
  end
end

describe("without Redis", function()
  local h
  setup(function() h = host.start { redis = false } end)
  teardown(function() h:stop() end)

  it("values are in the database, for as long as they may live", function()
    local s = h.core.shared
    assert.equal("sql", s:mode())
    assert.is_nil(s:get "k")
    assert.is_true(s:set("k", "v", 60))
    assert.is_true(s:set("forever", "and ever"))
    assert.equal("v", s:get "k")
    time.advance(61000)
    assert.is_nil(s:get "k")
    assert.equal("and ever", s:get "forever")
    assert.is_true(s:delete "forever")
    assert.is_nil(s:get "forever")
    assert.error_matches(function() s:set("k", "") end, "not empty")
  end)

  it("no event is put into a stream", function()
    assert.equal(200, h:say("d1", "hello").status)
    assert.is_nil(h.core.shared:event(nil, { action = "plugin_registered", source = "p", severity = "info" }))
    assert.equal(0, h:count "streams")
    assert.same({ status = "ok", mode = "sql" }, h.core.shared:health())
  end)
end)

describe("a redis_url", function()
  it("that is none is refused at the start, without its password", function()
    local s, err = shared.open { url = "redis://:secret@host:none", log = function() end }
    assert.is_nil(s)
    assert.matches("^redis_url: the port", err.message)
    assert.is_nil(err.message:find("secret", 1, true))
  end)
end)

describe("with Redis", function()
  local h, r

  setup(function()
    server = servers.start { argv = { "--appendonly", "yes", "--appendfsync", "always" } }
  end)
  teardown(function() server:stop() end)
  before_each(function()
    r = client()
    assert(r:call "FLUSHALL")
    h = start()
    mode(h, "redis")
  end)
  after_each(function()
    h:stop()
    r:close()
  end)

  it("values are there, for as long as they may live", function()
    local s = h.core.shared
    assert.is_nil(s:get "k")
    assert.is_true(s:set("k", "v", 60))
    assert.equal("v", s:get "k")
    local ttl = r:call("PTTL", "k")
    assert.is_true(ttl > 0 and ttl <= 60000)
    assert.is_true(s:delete "k")
    assert.is_nil(s:get "k")
    assert.equal(0, h:count "keys")
  end)

  it("the events of turns are in the plugin's stream, as in the audit and in its order", function()
    for i = 1, 3 do assert.equal(200, h:say("d" .. i, "hello").status) end
    published(h)
    local got = events(r, "plugin:invocations:text_reply")
    local rows = h.core.db:query("SELECT id, source, action, severity, trace_id, details, created_at FROM audit_logs "
      .. "WHERE action LIKE 'plugin_invocation_%' ORDER BY id")
    assert.equal(6, #rows)
    for i, row in ipairs(rows) do
      assert.same({
        id = row.id, event = row.action, source = row.source, severity = row.severity, trace_id = row.trace_id,
        details = json.decode(row.details), occurred_at = time.rfc3339(row.created_at),
      }, got[i])
    end
  end)

  it("the catalogue has a key, which follows every change", function()
    local function catalogue()
      local text = r:call("GET", "plugin:catalog")
      return text ~= json.null and json.decode(text).plugins
    end
    local function has(name)
      return function()
        for _, p in ipairs(catalogue() or {}) do if p.name == name then return p end end
      end
    end
    local p = wait("it is there", has "text_reply")
    assert.same({ "active", "lua", "text_reply" }, { p.status, p.transport, p.manifest.name })
    local ttl = r:call("TTL", "plugin:catalog")
    assert.is_true(ttl > 0 and ttl <= 600)
    h:write_plugin("late", { main = "local p = parley.plugin() return p" })
    assert(h.core:reload())
    wait("a reload is seen", has "late")
    assert(r:call("DEL", "plugin:catalog"))
    assert(h.core.db:commit { require("parley.cluster").bump "plugins" })
    wait("it is written again", has "late")
  end)

  it("the state of a dialog has a key of at most ten minutes, which a reset ends", function()
    h:stop()
    h = host.start {
      config = ("return { redis_url = %q }"):format(server.url),
      plugins = { counter = { main = [[
        local p = parley.plugin()
        p.on.command("counter", function(c)
          c.session.n = (c.session.n or 0) + 1
          c:reply("n is " .. c.session.n)
        end)
        return p
      ]] } },
    }
    local key = "dialog:state:d1"
    for n = 1, 3 do
      assert.equal("n is " .. n, h:say("d1", "/counter").body.text)
      wait("the state is there", function()
        local text = r:call("GET", key)
        return text ~= json.null and json.encode(json.decode(text).state):find('"n":' .. n, 1, true)
      end)
      local ttl = r:call("TTL", key)
      assert.is_true(ttl > 0 and ttl <= 600, ttl)
      assert.equal(n, json.decode(r:call("GET", key)).version)
    end
    assert.equal(200, h:request("POST", "/api/v1/dialogs/d1/reset", {}).status)
    wait("the key is gone", function() return r:call("EXISTS", key) == 0 end)
    published(h)
    local e = events(r, "dialog:events")
    assert.equal(1, #e)
    assert.same({ "dialog_reset", "d1" }, { e[1].event, e[1].details.dialog_id })
  end)

  it("a state that is older than what is there is not written", function()
    local s = h.core.shared.redis
    local function state(version, value)
      return { key = "dialog:state:d", version = version, value = value or ('{"version":%d}'):format(version) }
    end
    assert(s:states({ state(2) }, 600))
    assert(s:states({ state(1) }, 600))
    assert(s:states({ state(1, "") }, 600))
    assert.equal('{"version":2}', r:call("GET", "dialog:state:d"))
    assert(s:states({ state(3, "") }, 600))
    assert.equal(0, r:call("EXISTS", "dialog:state:d"))
  end)

  it("events that an instance which is gone has left are published", function()
    h:stop()
    local db = assert(require("parley.store").open(h.core.config))
    for i = 1, 3 do
      assert(db:commit {
        { "INSERT INTO streams (stream, payload, created_at) VALUES ('dialog:events', $1, 1)", '{"n":' .. i .. "}" },
      })
    end
    db:close()
    h = host.start { home = h.home }
    published(h)
    assert.same({ { n = 1 }, { n = 2 }, { n = 3 } }, events(r, "dialog:events"))
  end)

  it("a fact that belongs to no turn is in the audit and in its stream, under one id", function()
    local s = h.core.shared
    assert(h.core.db:commit {
      s:fact { source = "weather", action = "plugin_heartbeat_missed", severity = "warning", details = { silent_s = 121 } },
    })
    s:published()
    published(h)
    local row = h.core.db:first "SELECT id, severity FROM audit_logs WHERE action = 'plugin_heartbeat_missed'"
    local got = events(r, "plugin:events")
    assert.equal(1, #got)
    assert.same({ row.id, "warning", 121 }, { got[1].id, got[1].severity, got[1].details.silent_s })
    assert(h.core.db:commit { s:fact { source = "host", action = "reload", severity = "info" } })
    -- A plugin may call an event of its own so.
    assert(h.core.db:commit { s:fact { source = "weather", action = "dialog_reset", severity = "info" } })
    assert.equal(0, h:count "streams")
  end)

  it("an event that Redis refuses for good does not hold up the others", function()
    assert(r:call("SET", "plugin:events", "no stream"))
    local function put(action)
      local s = h.core.shared
      assert(h.core.db:commit { s:event(nil, { action = action, source = "p", severity = "info" }) })
      s:published()
    end
    put "plugin_registered"
    put "plugin_failed"
    published(h)
    assert.equal("redis", h.core.shared:mode())
    local letter = h.core.db:first "SELECT source, payload, error FROM dead_letters"
    assert.equal("stream:plugin:events", letter.source)
    assert.equal("plugin_registered", json.decode(letter.payload).event)
    assert.matches("^WRONGTYPE", letter.error)
    assert.equal("plugin_failed", events(r, "plugin:invocations:p")[1].event)
  end)

  it("streams are capped", function()
    local rows = {}
    for i = 1, 200 do rows[i] = { stream = "dialog:events", payload = "{}" } end
    for _ = 1, 60 do assert.equal(200, h.core.shared.redis:publish(rows, 0)) end
    assert.is_true(r:call("XLEN", "dialog:events") < 10500)
  end)

  it("a publisher that was replaced is refused", function()
    local rows = { { stream = "dialog:events", payload = "{}" } }
    local s = h.core.shared.redis
    assert.equal(1, s:publish(rows, 7))
    assert.same({ 0, "FENCED" }, { s:publish(rows, 6) })
    assert.equal(1, s:publish(rows, 7))
    assert.equal(2, r:call("XLEN", "dialog:events"))
  end)

  describe("that says nothing", function()
    it("the database stands in, and all is in Redis when it is back", function()
      local s = h.core.shared
      assert.is_true(s:set("before", "redis", 600))
      assert.is_true(s:set("deleted", "redis", 600))
      server:pause()
      mode(h, "degraded")
      assert.is_nil(s:redis_client())
      assert.is_nil(s:get "before")
      assert.is_true(s:set("meanwhile", "sql", 500))
      assert.is_true(s:set("before", "sql", 500))
      assert.is_true(s:delete "deleted")
      assert.equal("sql", s:get "meanwhile")
      assert.is_nil(s:get "deleted")
      for i = 1, 5 do assert.equal(200, h:say("d1", "hello " .. i).status) end
      assert.equal(10, h:count "streams")
      server:resume()
      mode(h, "redis")
      published(h)
      assert.same({ "sql", "sql" }, { s:get "meanwhile", s:get "before" })
      local ttl = r:call("TTL", "before")
      assert.is_true(ttl > 0 and ttl <= 500)
      assert.equal(0, r:call("EXISTS", "deleted"))
      assert.equal(0, h:count "keys")
      assert.equal(10, #events(r, "plugin:invocations:text_reply"))
    end)

    it("the switch is in the audit, in the probes and in the metrics", function()
      assert(h.core:listen_ops { host = "127.0.0.1", port = 0 })
      local function ops(path)
        local answer = assert(http_client.request {
          url = ("http://127.0.0.1:%d%s"):format(h.core.ops_server:port(), path), allow_private = true,
        })
        return answer.status, answer.body
      end
      server:pause()
      mode(h, "degraded")
      wait("the audit has it", function() return changes(h)[1] end)
      local status, body = ops "/readyz"
      assert.same({ 200, { status = "ok", mode = "degraded" } }, { status, json.decode(body) })
      local check = json.decode(select(2, ops "/healthz")).checks.shared
      assert.same({ "degraded", "degraded" }, { check.status, check.mode })
      assert.equal("string", type(check.reason))
      assert.matches('parley_shared_mode{mode="degraded"} 1', select(2, ops "/metrics"), 1, true)
      assert.matches('parley_redis_failures_total{kind="timeout"} [1-9]', select(2, ops "/metrics"))
      server:resume()
      mode(h, "redis")
      wait("the audit has both", function() return changes(h)[2] end)
      local rows = changes(h)
      assert.equal(2, #rows)
      assert.same({ "warning", "degraded" }, { rows[1].severity, rows[1].details.mode })
      assert.equal("string", type(rows[1].details.reason))
      assert.same({ "info", "redis" }, { rows[2].severity, rows[2].details.mode })
      assert.equal(32, #rows[1].trace_id)
      assert.matches('parley_shared_mode{mode="redis"} 1', select(2, ops "/metrics"), 1, true)
    end)
  end)

  it("that takes no writes is as good as away", function()
    assert(r:call("CONFIG", "SET", "min-replicas-to-write", 1))
    mode(h, "degraded")
    assert.equal(200, h:say("d1", "hello").status)
    assert.equal(2, h:count "streams")
    assert(r:call("CONFIG", "SET", "min-replicas-to-write", 0))
    mode(h, "redis")
    published(h)
    assert.equal(2, #events(r, "plugin:invocations:text_reply"))
  end)

  it("that is away at the start is taken up when it comes", function()
    h:stop()
    server:stop()
    h = start()
    assert.equal("degraded", h.core.shared:mode())
    assert.equal(200, h:say("d1", "hello").status)
    server:again()
    mode(h, "redis")
    published(h)
    wait("it is connected", function() return r:stats().connected end)
    assert.equal(2, #events(r, "plugin:invocations:text_reply"))
  end)

  it("that comes and goes under load loses nothing, and keeps the order of each dialog", function()
    local talk = talk_to { h }
    wait("they talk", function() return #talk.said[6] > 10 end)
    server:kill()
    mode(h, "degraded")
    server:again()
    mode(h, "redis")
    server:pause()
    mode(h, "degraded")
    server:resume()
    mode(h, "redis")
    talk:finish()
    published(h)
    wait("it is connected", function() return r:stats().connected end)
    check_events(h, events(r, "plugin:invocations:text_reply"), talk)
  end)

  if database.is_postgres then
    it("gets the events of a dialog in order, whatever instance its turns run on", function()
      local second = beside(h)
      local talk = talk_to { h, second }
      wait("they talk", function() return #talk.said[6] > 10 end)
      server:pause()
      mode(h, "degraded")
      mode(second, "degraded")
      server:resume()
      mode(second, "redis")
      wait("they talk on", function() return #talk.said[6] > 30 end)
      talk:finish()
      second:stop() -- one of the two has published until now; the other one does from here on
      for i = 1, 5 do assert.equal(200, h:say("last", "hello " .. i).status) end
      mode(h, "redis")
      published(h)
      check_events(h, events(r, "plugin:invocations:text_reply"), talk)
    end)
  end
end)
