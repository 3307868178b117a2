local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local http = require "host.http_server"
local task = require "host.task"
local tcp = require "host.tcp"

local function listen(opts, handler)
  opts = opts or {}
  opts.host, opts.port = "127.0.0.1", 0
  return assert(http.listen(opts, handler or function(req, method, path, query)
    req:respond(200, "", ("%s %s %s %s"):format(method, path, query or "-", req:body()))
  end))
end

-- Sends raw bytes, returns everything until the server closes (or the time is over).
local function raw(server, bytes, timeout)
  local c = assert(tcp.connect("127.0.0.1", server:port()))
  c:write(bytes)
  local text, err = c:read(nil, timeout or 30)
  c:close()
  return text, err
end

local function statuses(text)
  local out = {}
  for status in text:gmatch "HTTP/1%.1 (%d%d%d)" do out[#out + 1] = tonumber(status) end
  return out
end

local H = "Host: x\r\n"
local CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"

describe("the server refuses what could be read in two ways", function()
  local server
  local served = 0
  setup(function()
    server = listen(nil, function(req) served = served + 1 req:respond(200, "", "") end)
  end)
  teardown(function() server:close() end)

  local cases = {
    -- framing
    ["two lengths"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 1\r\nContent-Length: 1\r\n\r\na" },
    ["two different lengths"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
    ["a list of lengths"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 1, 1\r\n\r\na" },
    ["a signed length"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: +1\r\n\r\na" },
    ["a negative length"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: -1\r\n\r\n" },
    ["a hexadecimal length"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 0x1\r\n\r\na" },
    ["an empty length"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: \r\n\r\n" },
    ["an overflowing length"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 99999999999999999999\r\n\r\n" },
    ["length with chunked"] = {
      400, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    },
    ["chunked with length"] = { 400, CHUNKED .. "Content-Length: 5\r\n\r\n0\r\n\r\n" },
    ["chunked twice"] = { 400, CHUNKED .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    ["gzip, chunked"] = { 501, "POST / HTTP/1.1\r\n" .. H .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
    ["chunked, identity"] = { 400, "POST / HTTP/1.1\r\n" .. H .. "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501 },
    ["identity"] = { 501, "POST / HTTP/1.1\r\n" .. H .. "Transfer-Encoding: identity\r\n\r\n", 400 },
    ["a spelled coding"] = { 501, "POST / HTTP/1.1\r\n" .. H .. "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
    ["chunked on 1.0"] = { 400, "POST / HTTP/1.0\r\n" .. H .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    ["a bad chunk size"] = { 400, CHUNKED .. "\r\nxyz\r\n" },
    ["a signed chunk size"] = { 400, CHUNKED .. "\r\n-1\r\n" },
    ["a chunk size with 0x"] = { 400, CHUNKED .. "\r\n0x5\r\nhello\r\n0\r\n\r\n" },
    ["an overflowing chunk"] = { 400, CHUNKED .. "\r\nfffffffffffffffff\r\n", 413 },
    ["a chunk without CRLF"] = { 400, CHUNKED .. "\r\n3\r\nabcX0\r\n\r\n" },
    -- header lines
    ["a folded header"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "A: b\r\n c\r\n\r\n" },
    ["a header folded by a tab"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "A: b\r\n\tc\r\n\r\n" },
    ["space before the first header"] = { 400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n" },
    ["a space before the colon"] = { 400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n" },
    ["a header without a colon"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "nonsense\r\n\r\n" },
    ["an empty header name"] = { 400, "GET / HTTP/1.1\r\n" .. H .. ": x\r\n\r\n" },
    ["a NUL in a value"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "A: b\0c\r\n\r\n" },
    ["a NUL in a name"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "A\0: b\r\n\r\n" },
    ["a bare CR in a value"] = { 400, "GET / HTTP/1.1\r\n" .. H .. "A: b\rc\r\n\r\n" },
    ["bare LF lines"] = { 400, "GET / HTTP/1.1\nHost: x\n\n" },
    ["one bare LF"] = { 400, "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" },
    ["CR CR LF"] = { 400, "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n" },
    -- hosts
    ["no host"] = { 400, "GET / HTTP/1.1\r\n\r\n" },
    ["two hosts"] = { 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
    ["the same host twice"] = { 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
    ["an empty host"] = { 400, "GET / HTTP/1.1\r\nHost: \r\n\r\n" },
    ["a host with a user"] = { 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" },
    ["a host with a path"] = { 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
    ["a list of hosts"] = { 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" },
    ["a host with a space"] = { 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" },
    -- request lines
    ["no version"] = { 400, "GET /\r\n" .. H .. "\r\n" },
    ["version 0.9"] = { 505, "GET / HTTP/0.9\r\n" .. H .. "\r\n", 400 },
    ["version 1.2"] = { 505, "GET / HTTP/1.2\r\n" .. H .. "\r\n", 400 },
    ["version 2.0"] = { 505, "GET / HTTP/2.0\r\n" .. H .. "\r\n", 400 },
    ["version 1.10"] = { 400, "GET / HTTP/1.10\r\n" .. H .. "\r\n", 505 },
    ["a small http"] = { 400, "GET / http/1.1\r\n" .. H .. "\r\n", 505 },
    ["two spaces"] = { 400, "GET  / HTTP/1.1\r\n" .. H .. "\r\n" },
    ["a tab"] = { 400, "GET\t/ HTTP/1.1\r\n" .. H .. "\r\n", 501 },
    ["a space behind the version"] = { 400, "GET / HTTP/1.1 \r\n" .. H .. "\r\n" },
    ["no target"] = { 400, "GET HTTP/1.1\r\n" .. H .. "\r\n" },
    ["a space in the target"] = { 400, "GET /a b HTTP/1.1\r\n" .. H .. "\r\n", 505 },
    ["a NUL in the target"] = { 400, "GET /a\0b HTTP/1.1\r\n" .. H .. "\r\n" },
    ["a small method"] = { 501, "get / HTTP/1.1\r\n" .. H .. "\r\n", 400 },
    ["an unknown method"] = { 501, "FROB / HTTP/1.1\r\n" .. H .. "\r\n" },
    ["CONNECT"] = { 501, "CONNECT x:1 HTTP/1.1\r\n" .. H .. "\r\n" },
    ["TRACE"] = { 501, "TRACE / HTTP/1.1\r\n" .. H .. "\r\n" },
    ["HTTP/2's preface"] = { 501, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400 },
    ["TLS on the plain port"] = { 400, "\22\3\1\2\0\1\0\1\252\3\3\r\n\r\n", 501 },
    ["noise"] = { 400, "\255\254\253 hello\r\n\r\n", 501 },
    ["many empty lines"] = { 400, "\r\n\r\n\r\nGET / HTTP/1.1\r\n" .. H .. "\r\n" },
    -- expectations and sizes
    ["another expectation"] = { 417, "POST / HTTP/1.1\r\n" .. H .. "Expect: magic\r\nContent-Length: 1\r\n\r\na" },
    ["a long request line"] = { 414, "GET /" .. ("a"):rep(9000) .. " HTTP/1.1\r\n" .. H .. "\r\n" },
    ["large headers"] = { 431, "GET / HTTP/1.1\r\n" .. H .. "A: " .. ("a"):rep(17000) .. "\r\n\r\n" },
    ["endless headers"] = { 431, "GET / HTTP/1.1\r\n" .. ("A: b\r\n"):rep(20000) },
    ["101 headers"] = { 431, "GET / HTTP/1.1\r\n" .. H .. ("A: b\r\n"):rep(100) .. "\r\n" },
    ["a large body by length"] = { 413, "POST / HTTP/1.1\r\n" .. H .. "Content-Length: 1048577\r\n\r\n" },
    ["a large body in chunks"] = {
      413, CHUNKED .. "\r\n" .. ("10000\r\n" .. ("x"):rep(65536) .. "\r\n"):rep(17),
    },
  }

  for name, case in pairs(cases) do
    it(name, function()
      local before = served
      -- What follows on the connection must not be parsed as a request.
      local text = raw(server, case[2] .. "GET /smuggled HTTP/1.1\r\n" .. H .. "\r\n")
      local got = statuses(text)
      assert.equal(1, #got, text:sub(1, 300))
      local expected = got[1] == case[1] or got[1] == case[3] or got[1] == case[4]
      assert(expected, ("expected %d, got %d"):format(case[1], got[1]))
      assert.matches("Connection: close", text)
      assert.matches("application/problem%+json", text)
      assert.matches('"trace_id":"%x+"', text)
      assert.equal(before, served)
    end)
  end
end)

describe("the server", function()
  it("accepts what is plain", function()
    local server = listen()
    for _, request in ipairs {
      "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nhost:x\r\n", "GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: x\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n", "GET http://x/abs HTTP/1.1\r\nHost: x\r\n",
      "DELETE /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nA: \r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n" .. ("A: b\r\n"):rep(98),
    } do
      local text = raw(server, request .. "Connection: close\r\n\r\n")
      assert.same({ 200 }, statuses(text), request)
    end
    server:close()
  end)

  it("reads bodies by length and in chunks, whole or byte by byte", function()
    local server = listen()
    local requests = {
      "POST /l HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 11\r\n\r\nhello world",
      "POST /l HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
    }
    for _, request in ipairs(requests) do
      assert.matches("POST /l %- hello world$", raw(server, request))
      local c = assert(tcp.connect("127.0.0.1", server:port()))
      for i = 1, #request do
        c:write(request:sub(i, i))
        if i % 10 == 0 then task.sleep(0) end
      end
      assert.matches("POST /l %- hello world$", (c:read(nil, 60)))
      c:close()
    end
    server:close()
  end)

  it("answers a pipeline in order, one exchange at a time", function()
    local running, most = 0, 0
    local server = listen(nil, function(req, _, path)
      running = running + 1
      most = math.max(most, running)
      task.sleep(path == "/1" and 0.02 or 0)
      running = running - 1
      req:respond(200, "", "<" .. path .. ">")
    end)
    local requests = {}
    for i = 1, 20 do requests[i] = "GET /" .. i .. " HTTP/1.1\r\nHost: x\r\n\r\n" end
    requests[20] = "GET /20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    local seen = {}
    for path in raw(server, table.concat(requests)):gmatch "<(/%d+)>" do seen[#seen + 1] = path end
    assert.equal(20, #seen)
    for i = 1, 20 do assert.equal("/" .. i, seen[i]) end
    assert.equal(1, most)
    server:close()
  end)

  it("answers HEAD without a body and 1.0 by its rules", function()
    local server = listen()
    local text = raw(server, "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert.matches("Content%-Length: 10\r\n\r\n$", text)
    text = raw(server, "GET / HTTP/1.0\r\n\r\n")
    assert.matches("Connection: close", text)
    local c = assert(tcp.connect("127.0.0.1", server:port()))
    c:write "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert.matches("Connection: keep%-alive", (c:read("GET / - ", 60)))
    c:write "GET / HTTP/1.0\r\n\r\n"
    assert.matches("200 OK", (c:read(nil, 60)))
    c:close()
    server:close()
  end)

  it("says 100 Continue before a body that waits for it", function()
    local server = listen()
    local c = assert(tcp.connect("127.0.0.1", server:port()))
    c:write "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    assert.equal("HTTP/1.1 100 Continue\r\n\r\n", (c:read("\r\n\r\n", 60)))
    c:write "ok"
    assert.matches("POST /e %- ok$", (c:read(nil, 60)))
    c:close()
    server:close()
  end)

  it("streams with back-pressure", function()
    local waited
    local server = listen({ high_water = 65536 }, function(req)
      req:start(200, "X: y\r\n")
      local chunk = ("z"):rep(32768)
      for _ = 1, 200 do
        local before = task.stats().ops
        assert(req:write(chunk))
        waited = waited or task.stats().ops ~= before
      end
      req:finish()
    end)
    local c = assert(tcp.connect("127.0.0.1", server:port()))
    c:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    -- The client does not read yet: the writer waits when no more goes out.
    local out = -1
    eventually("the writer waits", function()
      local s = server:stats()
      local same = s.busy == 1 and s.bytes_out == out
      out = s.bytes_out
      return same and out > 0
    end)
    assert.is_true(server:stats().bytes_out < 200 * 32768)
    local text = c:read(nil, 60)
    local _, n = text:gsub("z", "")
    assert.equal(200 * 32768, n)
    assert.matches("\r\n0\r\n\r\n$", text)
    c:close()
    server:close()
  end)

  it("tells a handler that its client has gone, and lets it go on", function()
    local gone, finished
    local server = listen({ high_water = 1024 }, function(req)
      req:start(200)
      for _ = 1, 1000 do
        local ok, err = req:write(("z"):rep(65536), 5)
        if not ok then gone = err.code break end
      end
      assert.is_true(req:closed())
      finished = true
    end)
    local c = assert(tcp.connect("127.0.0.1", server:port()))
    c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    eventually("the request", function() return server:stats().busy == 1 end)
    c:close()
    eventually("the end of the request", function() return finished end)
    assert.equal("closed", gone)
    server:close()
  end)

  it("cuts slow senders at every phase", function()
    local server = listen { head_ms = 100, body_ms = 100, idle_ms = 100 }
    for _, part in ipairs {
      "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
    } do
      local text, err = raw(server, part, 5)
      assert.same({ 408 }, statuses(text), part)
      assert.equal("closed", err.code)
    end
    local text, err = raw(server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5) -- then silence
    assert.same({ 200 }, statuses(text))
    assert.equal("closed", err.code)
    text, err = raw(server, "", 5)
    assert.equal("", text)
    assert.equal("closed", err.code)
    assert.equal(3, server:stats().slow) -- silence between requests is none
    server:close()
  end)

  it("cuts a body that comes too slowly, and no other", function()
    local server = listen { body_rate = 100, body_grace_ms = 300 }
    local function send(bytes, every_s)
      local c = assert(tcp.connect("127.0.0.1", server:port()))
      c:write "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4000\r\n\r\n"
      for _ = 1, 4000 / bytes do
        if not c:write(("x"):rep(bytes)) or server:stats().slow > 0 then break end
        task.sleep(every_s)
      end
      local text = c:read(nil, 60)
      c:close()
      return statuses(text)
    end
    assert.same({ 200 }, send(400, 0.05))
    assert.same({ 408 }, send(1, 0.05))
    assert.equal(1, server:stats().slow)
    server:close()
  end)

  it("has a bound on connections", function()
    local server = listen { connections = 3 }
    local cs = {}
    for i = 1, 3 do cs[i] = assert(tcp.connect("127.0.0.1", server:port())) end
    eventually("all are in", function() return server:stats().open == 3 end)
    assert.same({ 503 }, statuses(raw(server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")))
    cs[1]:close()
    eventually("one has left", function() return server:stats().open == 2 end)
    assert.same({ 200 }, statuses(raw(server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))
    server:close()
  end)

  it("has a bound on the connections of one address", function()
    -- IPv4 comes as IPv6 to a socket of both, and is still an address of its own.
    local has_ipv6 = (fs.read "/proc/net/if_inet6" or ""):find(("0"):rep(31) .. "1 ", 1, true)
    local server = assert(http.listen({
      host = has_ipv6 and "::" or "127.0.0.1", port = 0, per_address = 2,
    }, function(req) req:respond(200, "", "") end))
    local function ask(host)
      local c = assert(tcp.connect(host, server:port()))
      c:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      local text = c:read(nil, 60)
      c:close()
      return statuses(text)[1], text
    end
    local cs = {}
    for i = 1, 2 do cs[i] = assert(tcp.connect("127.0.0.1", server:port())) end
    eventually("both are in", function() return server:stats().open == 2 end)
    local status, text = ask "127.0.0.1"
    assert.equal(503, status)
    assert.matches("too many connections from this address", text)
    assert.matches("\r\nRetry%-After: 1\r\n", text)
    if has_ipv6 then assert.equal(200, ask "::1") end
    cs[1]:close()
    eventually("one has left", function() return server:stats().open == 1 end)
    assert.equal(200, ask "127.0.0.1")
    local s = server:stats()
    assert.same({ 1, 1 }, { s.refused, s.refused_address })
    cs[2]:close()
    server:close()
  end)

  it("closes who has been idle for longest when it is full", function()
    local server = listen { connections = 2 }
    local first = assert(tcp.connect("127.0.0.1", server:port()))
    local second = assert(tcp.connect("127.0.0.1", server:port()))
    task.sleep(1.1)
    -- A request makes the first one the more recent of the two.
    first:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.matches("^HTTP/1.1 200", first:read("\r\n\r\n", 60))
    assert.same({ 200 }, statuses(raw(server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))
    local _, err = second:read(nil, 60)
    assert.equal("closed", err.code)
    assert.equal(1, server:stats().open)
    first:close()
    server:close()
  end)

  it("finishes what runs when it drains, and takes nothing new", function()
    local server = listen(nil, function(req) task.sleep(0.1) req:respond(200, "", "done") end)
    local port = server:port()
    local idle = assert(tcp.connect("127.0.0.1", port))
    local c = assert(tcp.connect("127.0.0.1", port))
    c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    eventually("the request", function() return server:stats().busy == 1 end)
    server:drain()
    local _, err = idle:read(nil, 60)
    assert.equal("closed", err.code)
    local text = c:read(nil, 60)
    assert.matches("Connection: close", text)
    assert.matches("done$", text)
    local none, refused = tcp.connect("127.0.0.1", port, 1)
    assert.is_nil(none)
    assert.equal("connect", refused.code)
    c:close()
    idle:close()
    server:close()
  end)

  it("answers 500 for a handler that fails or says nothing", function()
    local server = listen(nil, function(_, _, path) if path == "/raise" then error "boom" end end)
    for _, path in ipairs { "/raise", "/silent" } do
      local text = raw(server, "GET " .. path .. " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.same({ 500 }, statuses(text))
      assert.is_nil(text:find("boom", 1, true))
    end
    server:close()
  end)
end)
