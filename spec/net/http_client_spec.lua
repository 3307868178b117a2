local eventually = require "spec.support.eventually"
local http = require "host.http_client"
local http_server = require "host.http_server"
local json = require "host.json"
local meters = require "parley.ops.meters"
local python = require "spec.support.python"
local task = require "host.task"

describe("the HTTP client", function()
  local server, base
  setup(function()
    server = python.start "spec/support/fake_http.py"
    base = "http://127.0.0.1:" .. server.port
  end)
  teardown(function() server:stop() end)

  local function get(path, more)
    local o = { url = base .. path, allow_private = true, timeout = 5 }
    for k, v in pairs(more or {}) do o[k] = v end
    return http.request(o)
  end

  it("gets status, headers and body", function()
    local r = assert(get "/ok")
    assert.equal(200, r.status)
    assert.equal("fine", r.body)
    assert.equal("text/plain", r.headers["content-type"])
    assert.equal("a, b", r.headers["x-twice"])
  end)

  it("sends method, headers and body as they are", function()
    local r = assert(get("/echo", {
      method = "PUT", body = "a\0b\255", headers = { ["X-Empty"] = "", ["X-Number"] = 7, ["Content-Type"] = "x/y" },
    }))
    local seen = json.decode(r.body)
    assert.equal("PUT", seen.method)
    assert.equal("a\0b\195\191", seen.body)
    assert.equal("", seen.headers["x-empty"])
    assert.equal("7", seen.headers["x-number"])
    assert.equal("x/y", seen.headers["content-type"])
    assert.matches("^Parley/%d", seen.headers["user-agent"])
    assert.is_nil(seen.headers.expect)
    seen = json.decode(assert(get("/echo", { method = "POST" })).body)
    assert.equal("0", seen.headers["content-length"])
    assert.is_nil(seen.headers["content-type"])
    seen = json.decode(assert(get("/echo", { method = "DELETE" })).body)
    assert.equal("DELETE", seen.method)
    local large = ("x"):rep(5 * 1024 * 1024)
    assert.equal(tostring(#large), assert(get("/length", { method = "POST", body = large })).body)
  end)

  it("takes chunks, hints and any status", function()
    assert.equal("one two", assert(get "/chunked").body)
    assert.equal("after hints", assert(get "/continue").body)
    for _, status in ipairs { 204, 404, 429, 500, 503 } do
      assert.equal(status, assert(get("/status/" .. status)).status)
    end
    local r = assert(get "/redirect")
    assert.equal(302, r.status)
    assert.equal("/ok", r.headers.location)
    r = assert(get("/ok", { method = "HEAD" }))
    assert.equal("", r.body)
  end)

  it("uses a connection again", function()
    local before = http.stats().connections
    for _ = 1, 20 do assert(get "/ok") end
    assert.is_true(http.stats().connections - before <= 1)
  end)

  for path, code in pairs {
    ["/close"] = "connection", ["/reset"] = "connection", ["/cut"] = "connection", ["/cut-chunk"] = "connection",
    ["/garbage"] = "invalid_response", ["/http09"] = "invalid_response", ["/bad-chunk"] = "connection",
    ["/headers"] = "too_large", ["/header-line"] = "too_large", ["/header-lines"] = "too_large",
    ["/big"] = "too_large", ["/big-chunked"] = "too_large", ["/hang"] = "timeout", ["/drip"] = "timeout",
  } do
    it("says " .. code .. " for " .. path, function()
      local r, err = get(path, { timeout = 0.5 })
      assert.is_nil(r)
      assert.equal(code, err.code, err.message)
      assert.equal(code == "timeout" or code == "connection", err.retryable)
    end)
  end

  it("says why it cannot connect", function()
    local _, err = http.request { url = "http://127.0.0.1:1/", allow_private = true }
    assert.equal("connect", err.code)
    -- A label of 64 bytes is no name: the resolver says so without asking the network.
    _, err = http.request { url = "http://" .. ("x"):rep(64) .. ".test/", timeout = 10 }
    assert.equal("resolve", err.code)
    _, err = http.request { url = "https://127.0.0.1:" .. server.port .. "/ok", allow_private = true, timeout = 2 }
    assert.equal("tls", err.code)
  end)

  it("refuses what is not a request to a web server", function()
    for _, url in ipairs {
      "", "nonsense", "localhost:80/", "//127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/",
      "gopher://127.0.0.1/", "http://", "http://a b/",
      "http://user:password@127.0.0.1/", "http://127.0.0.1:99999/",
    } do
      local r, err = http.request { url = url, allow_private = true, timeout = 5 }
      assert.is_nil(r)
      assert.equal("invalid_url", err.code, url .. ": " .. err.message)
    end
    for name, value in pairs { ["X-A"] = "b\r\nX-Injected: 1", ["X B"] = "x", ["X:"] = "x", [""] = "x", Y = "a\0b" } do
      local r, err = get("/ok", { headers = { [name] = value } })
      assert.is_nil(r)
      assert.equal("invalid", err.code)
    end
    local _, err = get("/ok", { method = "GET / HTTP/1.1\r\nX: y" })
    assert.equal("invalid", err.code)
    assert.has_error(function() http.request {} end, "request: 'url' is needed")
    assert.has_error(function() http.request { url = "http://a\0b/" } end, "request: 'url' has a NUL in it")
  end)

  it("sends again on a new connection when a pooled one has died, unless it may be sent once only", function()
    local calls = 0
    local dying = assert(http_server.listen({ port = 0 }, function(req, _, path)
      calls = calls + 1
      if path == "/die" then req:abort() else req:respond(200, "", "ok") end
    end))
    local function post(path, once)
      return http.request {
        method = "POST", url = ("http://127.0.0.1:%d%s"):format(dying:port(), path), body = ("x"):rep(100000),
        once = once, allow_private = true,
      }
    end
    for once, expected in pairs { [true] = 2, [false] = 3 } do
      calls = 0
      assert.equal("ok", post("/", once).body)
      local r, err = post("/die", once)
      assert.is_nil(r)
      assert.equal("connection", err.code)
      assert.equal(expected, calls)
    end
    assert.equal("ok", post("/", true).body)
    dying:close()
  end)

  it("goes to private addresses only when it may, also on a connection that is open", function()
    assert(get "/ok")
    local r, err = get("/ok", { allow_private = false })
    assert.is_nil(r)
    assert.equal("private_address", err.code)
    assert.matches("loopback", err.message)
  end)

  it("ignores proxies of the environment", function()
    -- libcurl reads them at each request.
    require("ffi").cdef "int setenv(const char *, const char *, int); int unsetenv(const char *);"
    require("ffi").C.setenv("http_proxy", "http://127.0.0.1:1", 1)
    local r = get "/ok"
    require("ffi").C.unsetenv "http_proxy"
    assert.equal(200, assert(r).status)
  end)

  it("streams a body, and holds the peer up when nobody reads", function()
    local r = assert(get("/stream/2000", { stream = true, max_body = 1e9 }))
    assert.equal(200, r.status)
    task.sleep(0.2)
    local total, chunks = 0, 0
    while true do
      local chunk, err = r.body:read(5)
      assert.is_nil(err)
      if not chunk then break end
      assert.is_true(#chunk < 1024 * 1024)
      total, chunks = total + #chunk, chunks + 1
    end
    assert.is_true(chunks > 10)
    local expected = 0
    for i = 0, 1999 do expected = expected + #("piece " .. i .. ";") * 1000 end
    assert.equal(expected, total)
    r.body:close()
    assert.has_error(function() r.body:read() end, "the response is closed")
  end)

  it("delivers what came before a stream was cut, then the error", function()
    local r = assert(get("/stream-cut", { stream = true }))
    local text = ""
    while true do
      local chunk, err = r.body:read(5)
      if not chunk then
        assert.equal("connection", err.code)
        break
      end
      text = text .. chunk
    end
    assert.equal("before the end", text)
  end)

  it("caps a stream, and gives up reading at the deadline", function()
    local r = assert(get("/big-chunked", { stream = true, max_body = 1e6 }))
    local total, err = 0, nil
    while not err do
      local chunk
      chunk, err = r.body:read(5)
      total = total + #(chunk or "")
    end
    assert.equal("too_large", err.code)
    assert.is_true(total <= 1e6)
    r = assert(get("/drip", { stream = true }))
    assert(r.body:read(1))
    repeat
      local chunk
      chunk, err = r.body:read(0.005)
    until not chunk
    assert.equal("timeout", err.code)
  end)

  it("ends with its task", function()
    local before = http.stats().active
    local t = task.spawn(function() get("/hang", { timeout = 50 }) end)
    task.sleep(0.05)
    assert.equal(before + 1, http.stats().active)
    t:cancel()
    assert.equal(before, http.stats().active)
    -- A stream that nobody holds any more ends with the garbage.
    assert(get("/stream/100000", { stream = true }))
    assert.equal(before + 1, http.stats().active)
    for _ = 1, 3 do collectgarbage() end
    assert.equal(before, http.stats().active)
  end)

  -- What `f` has added to each number of the statistics.
  local function added(f)
    local before, more = http.stats(), {}
    f()
    for name, value in pairs(http.stats()) do
      if value ~= before[name] then more[name] = value - before[name] end
    end
    return more
  end

  it("counts how its requests end", function()
    local body = assert(get "/ok").body
    assert.same({ started = 1, succeeded = 1, bytes_in = #body }, added(function() get "/ok" end))
    assert.equal(1, added(function() get "/status/500" end).succeeded)
    assert.equal(1, added(function() get "/garbage" end).failed)
    assert.equal(1, added(function() get("/ok", { allow_private = false }) end).refused)
    assert.equal(1, added(function() get("/hang", { timeout = 0.05 }) end).timed_out)
    local more = added(function()
      local t = task.spawn(function() get "/hang" end)
      task.sleep(0.05)
      t:cancel()
    end)
    assert.equal(1, more.cancelled)
    assert.is_nil(more.active)
  end)

  it("counts the connections that are open", function()
    assert(get "/ok")
    assert.is_true(http.stats().open >= 1)
    -- The connection of a request that was given up is closed; old ones may go as well.
    local more = added(function() get("/hang", { timeout = 0.05 }) end)
    assert.is_true((more.open or 0) <= (more.connections or 0) - 1)
    local s = http.stats()
    assert.is_true(s.open <= s.connections)
  end)

  it("has its statistics in the metrics", function()
    assert(get "/ok")
    local text, s = meters.registry:render(), http.stats()
    for series, value in pairs {
      ['requests_total{result="ok"}'] = s.succeeded, ['requests_total{result="failed"}'] = s.failed,
      ['requests_total{result="refused"}'] = s.refused, ['requests_total{result="timeout"}'] = s.timed_out,
      ['requests_total{result="cancelled"}'] = s.cancelled, requests_running = s.active, connections = s.open,
      connections_total = s.connections, received_bytes_total = s.bytes_in, sent_bytes_total = s.bytes_out,
    } do
      assert.is_truthy(text:find(("\nparley_client_%s %d\n"):format(series, value), 1, true), series)
    end
  end)

  it("runs hundreds at a time", function()
    local tasks = {}
    for i = 1, 300 do
      tasks[i] = task.spawn(function() return assert(get(i % 3 == 0 and "/chunked" or "/ok")).status end)
    end
    for i = 1, 300 do
      local ok, status = tasks[i]:join(20)
      assert.is_true(ok)
      assert.equal(200, status)
    end
    assert.equal(0, http.stats().active)
  end)

  it("has more long polls wait than it has connections for all else, which goes on beside them", function()
    local polls, waiting, open = 700, 0, task.cond()
    local slow = assert(http_server.listen({ host = "127.0.0.1", port = 0, connections = 2000 }, function(req, _, path)
      if path:find "^/poll" then
        waiting = waiting + 1
        open:wait(60)
      end
      req:respond(200, "", path)
    end))
    local url = "http://127.0.0.1:" .. slow:port()
    local function ask(path, patient)
      return http.request { url = url .. path, allow_private = true, timeout = 60, patient = patient }
    end
    local tasks = {}
    for i = 1, polls do tasks[i] = task.spawn(function() return assert(ask("/poll/" .. i, true)).body end) end
    eventually("all wait", function() return waiting == polls end)
    assert.equal(polls, http.stats().patient)
    assert.equal("/ok", assert(ask "/ok").body)
    tasks[1]:cancel()
    assert.equal(polls - 1, http.stats().patient)
    open:broadcast()
    for i = 2, polls do
      local ok, body = tasks[i]:join(30)
      assert.is_true(ok)
      assert.equal("/poll/" .. i, body)
    end
    assert.equal(0, http.stats().patient)
    slow:close()
    assert.has_error(function() http.request { url = url, patient = true } end)
  end)
end)
