local json = require "host.json"
local process = require "host.process"
local redis = require "host.redis"
local servers = require "spec.support.redis"
local task = require "host.task"
local wait = require("spec.support.process").eventually

local server

local function open(opts)
  opts = opts or {}
  opts.url = opts.url or server.url
  return assert(redis.open(opts))
end

local function connected(r)
  wait("it is connected", function() return r:stats().connected end)
end

describe("Redis", function()
  setup(function() server = servers.start() end)
  teardown(function() server:stop() end)

  describe("a call", function()
    local r
    before_each(function()
      r = open()
      assert(r:call "FLUSHALL")
    end)
    after_each(function() r:close() end)

    it("gives texts, numbers, null and lists as they are", function()
      assert.equal("OK", r:call("SET", "k", "a\0b\r\n"))
      assert.equal("a\0b\r\n", r:call("GET", "k"))
      assert.equal(json.null, r:call("GET", "nothing"))
      assert.equal(-5, r:call("DECRBY", "n", 5))
      assert.same({ "a\0b\r\n", json.null, "-5" }, r:call("MGET", "k", "nothing", "n"))
      local empty = r:call("KEYS", "x*")
      assert.equal("[]", json.encode(empty))
      assert.same({ { 1, { 2 } }, "x" }, r:script("return {{1, {2}}, 'x'}", 0))
    end)

    it("sends numbers exactly, and gives integers that Lua cannot hold as text", function()
      assert(r:call("SET", "n", 9007199254740992))
      assert.equal("9007199254740992", r:call("GET", "n"))
      assert.equal("9007199254740993", r:call("INCR", "n"))
      assert.equal("0.10000000000000001", r:call("SET", "f", 0.1) and r:call("GET", "f"))
    end)

    it("turns an error reply into nil and the error", function()
      assert(r:call("SET", "k", "text"))
      local reply, err = r:call("INCR", "k")
      assert.is_nil(reply)
      assert.same({ "redis", false, "redis.call" }, { err.code, err.retryable, err.op })
      assert.matches("^ERR value is not an integer", err.message)
      local inner = r:script("return {1, redis.pcall('INCR', KEYS[1])}", 1, "k")
      assert.matches("not an integer", inner[2].error)
      assert.equal(2, #inner)
    end)

    it("keeps the replies of many tasks apart, and their order", function()
      local tasks, seen = {}, {}
      for i = 1, 500 do
        tasks[i] = task.spawn(function() seen[i] = r:call("INCR", "counter") end)
      end
      for _, t in ipairs(tasks) do assert(t:join()) end
      for i = 1, 500 do assert.equal(i, seen[i]) end
    end)

    it("refuses what would change the connection that all share", function()
      for _, command in ipairs { "MULTI", "subscribe", "Select", "AUTH", "MONITOR", "QUIT" } do
        local reply, err = r:call(command, "1")
        assert.is_nil(reply)
        assert.equal("invalid", err.code)
        assert.matches("one is shared", err.message)
      end
    end)

    it("takes texts and numbers only, and says which argument is neither", function()
      assert.error_matches(function() r:call("SET", "k", {}) end, "#3.*table")
      assert.error_matches(function() r:call("SET", nil, "v") end, "#2.*nil")
      assert.error_matches(function() r:call() end, "string expected")
      assert.error_matches(function() r:script("return 1", 2, "k") end, "number of keys")
      assert.error_matches(function() r:subscribe("c", "no function") end, "function expected")
    end)

    it("is refused when it is larger than 16 MiB", function()
      local reply, err = r:call("SET", "k", ("x"):rep(16 * 1024 * 1024))
      assert.is_nil(reply)
      assert.equal("too_large", err.code)
      assert.equal("PONG", r:call "PING")
    end)

    it("gives a reply of more than 16 MiB up, and goes on with a new connection", function()
      assert(r:call("SET", "big", ("x"):rep(9 * 1024 * 1024)))
      assert(r:call("APPEND", "big", ("x"):rep(9 * 1024 * 1024)))
      for _, call in ipairs {
        function() return r:call("GET", "big") end,
        -- Its parts are small, and taken out of the buffer one by one.
        function()
          return r:script("local t, s = {}, string.rep('x', 1000) for i = 1, 20000 do t[i] = s end return t", 0)
        end,
      } do
        local reply, err = call()
        assert.equal("nil", type(reply))
        assert.equal("closed", err.code)
        assert.matches("larger than 16 MiB", err.message)
        connected(r)
        assert.equal("PONG", r:call "PING")
      end
    end)

    it("fails when the client is closed meanwhile", function()
      local err
      local t = task.spawn(function() err = select(2, r:call("BLPOP", "nothing", 5)) end)
      task.sleep(0)
      local closing = r
      r = open()
      closing:close()
      assert(t:join())
      assert.equal("closed", err.code)
      assert.error_matches(function() closing:call "PING" end, "the client is closed")
    end)

    it("counts", function()
      local before = r:stats()
      r:call "PING"
      r:call "NOSUCHCOMMAND"
      local s = r:stats()
      assert.equal(2, s.commands - before.commands)
      assert.equal(2, s.replies - before.replies)
      assert.equal(1, s.errors - before.errors)
      assert.equal(0, s.waiting)
    end)
  end)

  describe("a script", function()
    it("is loaded once, and again when the server has forgotten it", function()
      local r = open()
      local text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
      assert(r:call("SCRIPT", "FLUSH"))
      assert(r:call("CONFIG", "RESETSTAT"))
      r:call("DEL", "n")
      for i = 1, 3 do assert.equal(2 * i, r:script(text, 1, "n", 2)) end
      local calls = r:call("INFO", "commandstats")
      assert.equal("1", calls:match "cmdstat_eval:calls=(%d+)")
      assert.equal("3", calls:match "cmdstat_evalsha:calls=(%d+)")
      assert(r:call("SCRIPT", "FLUSH"))
      assert.equal(8, r:script(text, 1, "n", 2))
      r:close()
    end)
  end)

  describe("a URL", function()
    it("may name a database, a user, or a unix socket", function()
      local zero, two = open(), open { url = server.url .. "/2" }
      assert(zero:call("SET", "where", "zero"))
      assert(two:call("SET", "where", "two"))
      assert.equal("zero", zero:call("GET", "where"))
      local socket = open { url = server.socket_url .. "?db=2" }
      assert.equal("two", socket:call("GET", "where"))
      local named = open { url = (server.url:gsub("redis://:", "redis://default:"):gsub("127.0.0.1", "localhost")) }
      assert.equal("zero", named:call("GET", "where"))
      for _, r in ipairs { zero, two, socket, named } do r:close() end
    end)

    it("is refused with the reason when it is none", function()
      for url, reason in pairs {
        ["rediss://host"] = "not a URL of Redis",
        ["redis://"] = "host is missing",
        ["redis://host:0"] = "port",
        ["redis://host:65536"] = "port",
        ["redis://host:80x"] = "port",
        ["redis://[::1:80"] = "bracket",
        ["redis://host/one"] = "database",
        ["redis://host/-1"] = "database",
        ["redis://secret@host"] = "login",
        ["redis://:se%zzcret@host"] = "login",
        ["redis+unix://relative"] = "absolute path",
        ["redis+unix:///path?database=1"] = "db=",
        ["redis+unix:///" .. ("x"):rep(200)] = "107 bytes",
        ["redis://" .. ("x"):rep(3000)] = "too long",
      } do
        local r, err = redis.open { url = url }
        assert.is_nil(r, url)
        assert.same({ nil, err }, { redis.check(url) })
        assert.equal("invalid", err.code)
        assert.matches(reason, err.message, 1, true)
        assert.is_nil(err.message:find("secret", 1, true))
      end
    end)

    it("with a wrong password leaves the client unconnected, and says why", function()
      for _, url in ipairs { "redis://:wrong@127.0.0.1:" .. server.port, "redis://127.0.0.1:" .. server.port } do
        local r = open { url = url }
        local reply, err = r:call "PING"
        assert.is_nil(reply)
        assert.same({ "unavailable", true }, { err.code, err.retryable })
        assert.matches("server answers: %u+", err.message)
        assert.is_nil(err.message:find("wrong@", 1, true))
        r:close()
      end
    end)
  end)

  describe("a server that goes away", function()
    it("makes calls fail at once, and is found again when it is back", function()
      local r = open()
      assert(r:call("SET", "k", "v"))
      local err
      local t = task.spawn(function() err = select(2, r:call("BLPOP", "nothing", 30)) end)
      task.sleep(0.05)
      server:kill()
      assert(t:join())
      assert.same({ "closed", true }, { err.code, err.retryable })
      assert.matches("before the reply", err.message)
      local reply
      reply, err = r:call("GET", "k")
      assert.is_nil(reply)
      assert.same({ "unavailable", true }, { err.code, err.retryable })
      server:again()
      connected(r)
      assert.equal(json.null, r:call("GET", "k"))
      assert.equal(1, r:stats().losses)
      r:close()
    end)

    it("may be away when the client is opened", function()
      server:stop()
      local r = open()
      local reply, err = r:call "PING"
      assert.is_nil(reply)
      assert.equal("unavailable", err.code)
      assert.matches("refused", err.message)
      server:again()
      connected(r)
      assert.equal("PONG", r:call "PING")
      r:close()
    end)
  end)

  describe("a server that says nothing", function()
    it("costs each call its deadline, and replies that come late are not taken for others", function()
      local r = open { timeout_ms = 60, stall_ms = 60000 }
      assert(r:call("SET", "k", "before"))
      server:pause()
      for i = 1, 3 do
        local reply, err = r:call("SET", "late", i)
        assert.is_nil(reply)
        assert.same({ "timeout", true }, { err.code, err.retryable })
      end
      assert.equal(3, r:stats().waiting)
      server:resume()
      wait("the late replies are in", function() return r:stats().waiting == 0 end)
      assert.equal("before", r:call("GET", "k"))
      assert.equal("3", r:call("GET", "late"))
      assert.equal(3, r:stats().timed_out)
      r:close()
    end)

    it("is given up after a while: then calls fail at once until it answers", function()
      local r = open { timeout_ms = 50, stall_ms = 100, connect_ms = 100 }
      server:pause()
      wait("the connection is given up", function()
        local _, err = r:call "PING"
        return err.code == "unavailable"
      end)
      assert.equal(0, r:stats().waiting)
      server:resume()
      connected(r)
      assert.equal("PONG", r:call "PING")
      r:close()
    end)

    it("has no more than queue_max calls before it", function()
      local r = open { queue_max = 5 }
      server:pause()
      local codes = {}
      for i = 1, 8 do
        task.spawn(function() codes[i] = select(2, r:call "PING").code end)
      end
      wait("three are refused", function() return codes[8] end)
      assert.same({ nil, nil, nil, nil, nil, "busy", "busy", "busy" }, codes)
      server:resume()
      r:close()
    end)
  end)

  describe("a subscription", function()
    it("gets the messages in order, from when it is active", function()
      local r, got = open(), {}
      r:subscribe("news", function(payload, channel)
        got[#got + 1] = payload or "active"
        assert.equal("news", channel)
      end)
      wait("it is active", function() return got[1] == "active" end)
      for i = 1, 100 do assert.equal(1, r:call("PUBLISH", "news", i)) end
      wait("all have come", function() return #got == 101 end)
      for i = 1, 100 do assert.equal(tostring(i), got[i + 1]) end
      r:close()
    end)

    it("is renewed when the server is back, and told so", function()
      local r, got = open(), {}
      r:subscribe("news", function(payload) got[#got + 1] = payload or "active" end)
      wait("it is active", function() return got[1] end)
      server:kill()
      server:again()
      wait("it is active again", function() return got[2] == "active" end)
      connected(r)
      assert.equal(1, r:call("PUBLISH", "news", "hello"))
      wait("the message has come", function() return got[3] == "hello" end)
      r:close()
    end)

    it("notices that a server has stopped to answer", function()
      local r, active = open(), 0
      r:subscribe("news", function(payload) if not payload then active = active + 1 end end)
      wait("it is active", function() return active == 1 end)
      server:pause()
      wait("the connection is given up", function() return not r:stats().listening end)
      server:resume()
      wait("it is active again", function() return active == 2 end)
      r:close()
    end)

    it("ends by unsubscribe, also from inside, and the others go on", function()
      local r, first, second = open(), {}, {}
      local id
      id = r:subscribe("news", function(payload)
        first[#first + 1] = payload
        if payload == "2" then assert.is_true(r:unsubscribe(id)) end
      end)
      local active
      r:subscribe("news", function(payload)
        active = true
        second[#second + 1] = payload
      end)
      wait("both are active", function() return active end)
      for i = 1, 4 do r:call("PUBLISH", "news", i) end
      wait("all have come", function() return #second == 4 end)
      assert.same({ "1", "2" }, first)
      assert.is_false(r:unsubscribe(id))
      assert.equal(1, r:stats().subscriptions)
      r:close()
    end)
  end)

  it("has capped streams that groups read, and take over from a reader that is gone", function()
    local r = open()
    r:call("DEL", "s")
    for i = 1, 1000 do assert(r:call("XADD", "s", "MAXLEN", "~", 100, "*", "n", i)) end
    local kept = r:call("XLEN", "s")
    assert.is_true(kept >= 100 and kept < 300, kept)
    assert(r:call("XGROUP", "CREATE", "s", "g", "0"))
    local got = r:call("XREADGROUP", "GROUP", "g", "one", "COUNT", 2, "STREAMS", "s", ">")
    assert.equal("s", got[1][1])
    assert.equal(2, #got[1][2])
    local id, fields = unpack(got[1][2][1])
    assert.equal("n", fields[1])
    assert.equal(1, r:call("XACK", "s", "g", id))
    local claimed = r:call("XAUTOCLAIM", "s", "g", "two", 0, "0")
    assert.same({ got[1][2][2] }, claimed[2])
    assert.equal(json.null, r:call("XREADGROUP", "GROUP", "g", "two", "STREAMS", "missing", "0")
      or json.null)
    r:close()
  end)
end)

-- Answers each connection with a PONG and what follows, whatever it is sent.
local STRANGE = [[
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
kept = []
while True:
    c, _ = s.accept()
    kept.append(c)
    c.recv(1000)
    c.sendall(b"+PONG\r\n")
    c.recv(1000)
    c.sendall(sys.argv[1].encode().decode("unicode_escape").encode("latin-1"))
]]

local QUOTING = [[
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.recv(1000)
    c.sendall(b"-ERR unknown command `AUTH`, with args beginning with: `hunter2`,\r\n")
]]

describe("a server that does not speak Redis", function()
  it("is not quoted when it quotes the password", function()
    local p = assert(process.spawn { argv = { "python3", "-c", QUOTING } })
    local r = open { url = "redis://:hunter2@127.0.0.1:" .. p:read_line(60) }
    local _, err = r:call "PING"
    assert.matches("the server answers: it does not take the login", err.message)
    r:close()
    p:close()
  end)

  for what, bytes in pairs {
    ["no protocol"] = "HTTP/1.1 400 Bad Request\\r\\n\\r\\n",
    ["more replies than commands"] = "+1\\r\\n+2\\r\\n+3\\r\\n",
    ["lists inside lists"] = ("*1\\r\\n"):rep(50),
    ["a list of two thousand million"] = "*2147483647\\r\\n",
    ["lengths below zero"] = "$-5\\r\\n*-7\\r\\n",
    ["a push that nobody has asked for"] = "*3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n:1\\r\\n",
  } do
    it("harms nobody with " .. what, function()
      local p = assert(process.spawn { argv = { "python3", "-c", STRANGE, bytes } })
      local r = open { url = "redis://127.0.0.1:" .. p:read_line(60), timeout_ms = 500 }
      connected(r)
      local s
      for _ = 1, 3 do
        r:call "PING"
        s = r:stats()
      end
      wait("the connection is given up", function()
        r:call "PING"
        return r:stats().losses > s.losses or s.losses > 0
      end)
      r:close()
      p:close()
    end)
  end
end)
