-- What a thread takes in and acknowledges, against a real server, raw connections and a file on the disk.

local certificate = require "spec.support.certificate"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host_intake = require "host.intake"
local http = require "host.http_server"
local json = require "host.json"
local process = require "spec.support.process"
local sqlite = require "host.sqlite"
local task = require "host.task"
local tcp = require "host.tcp"
local temporary = require "parley.util.temporary"
local tls = require "host.tls"

local SECRET = "s3cret"

describe("the intake", function()
  local server, intake, home, path, seen
  local function open(more)
    local o = { path = path, prefix = "/in/", header = "X-Secret", field = "n" }
    for k, v in pairs(more or {}) do o[k] = v end
    return host_intake.open(o)
  end
  local function listen(o)
    o = o or {}
    o.host, o.port = "127.0.0.1", 0
    return assert(http.listen(o, function(req, method, target)
      seen[#seen + 1] = method .. " " .. target
      req:respond(202, "X-From: home\r\n", req:body())
    end))
  end
  before_each(function()
    home, seen = assert(temporary.folder()), {}
    path = home .. "/intake.db"
    server, intake = listen(), assert(open())
    intake:serve(server)
    intake:allow("shop", SECRET)
  end)
  after_each(function()
    intake:close()
    server:close()
  end)

  local function request(body, o)
    o = o or {}
    local lines = {
      ("%s %s HTTP/1.1"):format(o.method or "POST", o.target or "/in/shop"), "Host: x",
      "Content-Length: " .. #body,
    }
    if o.type ~= false then lines[#lines + 1] = "Content-Type: " .. (o.type or "application/json") end
    if o.secret ~= false then lines[#lines + 1] = "X-Secret: " .. (o.secret or SECRET) end
    for _, line in ipairs(o) do lines[#lines + 1] = line end
    return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
  end

  -- One answer off a connection.
  local function answer(c)
    local r = { headers = {} }
    local text = assert(c:read("\r\n\r\n", 30))
    r.status = tonumber(text:match "^HTTP/1.1 (%d+)")
    for k, v in text:gmatch "\r\n([^:]+): ([^\r]*)" do r.headers[k:lower()] = v end
    local n = tonumber(r.headers["content-length"])
    r.body = n > 0 and assert(c:read(n, 30)) or ""
    return r
  end
  local function connect() return assert(tcp.connect("127.0.0.1", server:port())) end
  local function ask(bytes, c)
    local mine = c or connect()
    assert(mine:write(bytes))
    local r = answer(mine)
    if not c then mine:close() end
    return r
  end
  -- Rows until there are so many.
  local function rows(n)
    local out = {}
    while #out < n do
      for _, row in ipairs(assert(intake:take(100))) do out[#out + 1] = row end
    end
    return out
  end
  local function kept()
    local db = assert(sqlite.open { path = path })
    local found = assert(db:query "SELECT source, body FROM updates ORDER BY id")
    db:close()
    return found
  end
  local function connected() return server:stats().open + intake:stats().http.open end
  local function body_of(n) return ('{"n":%d}'):format(n) end

  it("makes a body durable before it answers, and hands it over", function()
    local r = ask(request '{"n":7,"text":"x"}')
    assert.same({ 200, "{}", "application/json" }, { r.status, r.body, r.headers["content-type"] })
    assert.truthy(r.headers["x-trace-id"]:match "^%x+$")
    assert.equal(32, #r.headers["x-trace-id"])
    local row = rows(1)[1]
    assert.same({ "shop", 7, "x", true }, { row.source, row.value.n, row.value.text, row.stored })
    assert.is_true(row.took > 0)
    assert.equal(1, intake:waiting "shop")
    intake:close()
    assert.same({ { source = "shop", body = '{"n":7,"text":"x"}' } }, kept())
    assert.same({}, seen)
  end)

  it("keeps nothing of what is done", function()
    for n = 1, 300 do assert.equal(200, ask(request(body_of(n))).status) end
    for i, row in ipairs(rows(300)) do
      assert.equal(i, row.value.n)
      if i ~= 100 then intake:done { row } end
    end
    assert.equal(1, intake:waiting "shop")
    intake:close()
    assert.same({ { source = "shop", body = '{"n":100}' } }, kept())
  end)

  it("removes what is done while nothing comes", function()
    for n = 1, 3 do ask(request(body_of(n))) end
    local before = intake:stats().commits
    for _, row in ipairs(rows(3)) do intake:done { row } end
    eventually("a commit by itself", function() return intake:stats().commits > before end)
    assert.equal(0, intake:stats().waiting)
  end)

  it("hands over what a process before it has left, oldest first", function()
    for n = 1, 5 do ask(request(body_of(n))) end
    intake:close()
    intake = assert(open())
    local left = rows(5)
    for i, row in ipairs(left) do assert.same({ i, "shop" }, { row.value.n, row.source }) end
    assert.is_nil(left[1].took)
    assert.equal(5, intake:waiting "shop")
    for _, row in ipairs(left) do intake:done { row } end
    intake:close()
    assert.same({}, kept())
    intake = assert(open())
    assert.equal(0, intake:stats().waiting)
  end)

  it("leaves all else to the server, on the same connection, in order", function()
    local c = connect()
    for i, case in ipairs {
      { request(body_of(1)), 200 },
      { request("other", { target = "/elsewhere" }), 202 },
      { request(body_of(2)), 200 },
      { request("", { method = "GET", secret = false, type = false }), 202 },
      { request(body_of(3), { secret = "wrong" }), 202 },
      { request(body_of(3), { target = "/in/other" }), 202 },
      { request(body_of(3), { target = "/in/shop?x=1" }), 202 },
      { request(body_of(3), { "X-Secret: s3cret" }), 202 },
      { request(body_of(3), { secret = false }), 202 },
      { request(body_of(3), { type = "text/plain" }), 202 },
      { request(body_of(3), { type = false }), 202 },
      { request(body_of(3), { "Content-Type: application/json" }), 202 },
      { request(body_of(3), { "Content-Encoding: gzip" }), 202 },
      { request(body_of(3), { "Authorization: Bearer x" }), 202 },
      { request(body_of(3), { method = "PUT" }), 202 },
      { request(body_of(3)), 200 },
    } do
      local r = ask(case[1], c)
      assert.equal(case[2], r.status, "request " .. i)
      assert.equal(case[2] == 202 and "home" or nil, r.headers["x-from"], "request " .. i)
    end
    c:close()
    assert.equal(13, #seen)
    local got = {}
    for _, row in ipairs(rows(3)) do got[#got + 1] = row.value.n end
    assert.same({ 1, 2, 3 }, got)
    eventually("nobody is connected", function() return connected() == 0 end)
  end)

  it("leaves bodies to the server that are not what it keeps", function()
    local c = connect()
    ask(request(body_of(1)), c)
    local bad = {
      "", "{", "[]", "7", "{}", '{"n":"7"}', '{"n":-1}', '{"n":1.5}', '{"n":9007199254740993}', '{"n":1e300}',
      '{"n":null}', '{"n":1,"n":2}', '{"a":{"n":1}}',
      '{"n":1}x', '{"n":1,"a":"\xff"}', '{"n":1,"a":"\1"}', '{"n":1,"a":"\\ud800"}',
      '{"n":1,"a":' .. ("["):rep(40) .. ("]"):rep(40) .. "}", '{"n":1,"a":"' .. ("x"):rep(140000) .. '"}',
    }
    for _, body in ipairs(bad) do
      local r = ask(request(body), c)
      assert.same({ 202, body }, { r.status, r.body }, body:sub(1, 60))
    end
    local good = {
      '{"n":0}', ' {"a":[{"n":"x"}],"n":9007199254740992 } ', '{"\\u006e":5}', '{"n":1,"a":"' .. ("x"):rep(120000) .. '"}',
    }
    for _, body in ipairs(good) do assert.equal(200, ask(request(body), c).status, body:sub(1, 60)) end
    c:close()
    local got = rows(5)
    local numbers = {}
    for i, row in ipairs(got) do numbers[i] = row.value.n end
    assert.same({ 1, 0, 9007199254740992, 5, 1 }, numbers)
  end)

  it("says so when what it has kept cannot be read here", function()
    assert.equal(200, ask(request '{"n":1,"a":1,"a":2}').status)
    local row = rows(1)[1]
    assert.same({ true, "invalid_json" }, { row.stored, row.err.code })
    assert.is_nil(row.value)
    intake:done { row }
    assert.equal(0, intake:waiting "shop")
  end)

  it("takes requests that come in pieces, and many at once", function()
    local c = connect()
    ask(request(body_of(0)), c)
    local bytes = request(body_of(1))
    for i = 1, #bytes do
      assert(c:write(bytes:sub(i, i)))
      if i % 20 == 0 then task.sleep(0.001) end
    end
    assert.equal(200, answer(c).status)
    -- Pipelined: with others between them, each is answered in its place.
    local all, expected = {}, {}
    for i = 2, 61 do
      local mine = i % 3 ~= 0
      all[#all + 1] = mine and request(body_of(i)) or request(tostring(i), { target = "/elsewhere" })
      expected[#expected + 1] = mine and "{}" or tostring(i)
    end
    assert(c:write(table.concat(all)))
    for i, text in ipairs(expected) do assert.equal(text, answer(c).body, "answer " .. i) end
    c:close()
    assert.equal(42, #rows(42))
  end)

  it("answers many connections, each of which has one request after the other", function()
    local n, each = 40, 25
    local tasks = {}
    for i = 1, n do
      tasks[i] = task.spawn(function()
        local c = connect()
        for k = 1, each do
          local r = ask(request(body_of(i * 1000 + k)), c)
          assert(r.status == 200, r.status)
        end
        c:close()
      end)
    end
    local last, count = {}, 0
    while count < n * each do
      for _, row in ipairs(assert(intake:take(64))) do
        local i, k = math.floor(row.value.n / 1000), row.value.n % 1000
        assert.equal((last[i] or 0) + 1, k)
        last[i], count = k, count + 1
        intake:done { row }
      end
    end
    for _, t in ipairs(tasks) do assert(t:join(30)) end
    local s = intake:stats()
    assert.same({ n * each, 0, 0 }, { s.rows, s.failed, s.waiting })
    eventually("nobody is connected", function() return connected() == 0 end)
  end)

  it("has a bound for each source, and for all: what is more is the server's", function()
    intake:close()
    intake = assert(open { waiting_max = 3, bytes_max = 100 })
    intake:serve(server)
    intake:allow("shop", SECRET)
    intake:allow("bar", SECRET)
    local statuses = {}
    for n = 1, 5 do statuses[n] = ask(request(body_of(n))).status end
    assert.same({ 200, 200, 200, 202, 202 }, statuses)
    assert.equal(200, ask(request(body_of(6), { target = "/in/bar" })).status)
    local first = rows(4)
    intake:done { first[1] }
    assert.equal(200, ask(request('{"n":7,"a":"' .. ("x"):rep(100) .. '"}')).status)
    assert.equal(202, ask(request(body_of(8), { target = "/in/bar" })).status)
  end)

  it("stops to take from who may not bring any more, and takes from who has another secret", function()
    local c = connect()
    assert.equal(200, ask(request(body_of(1)), c).status)
    intake:allow("shop", "other")
    assert.equal(202, ask(request(body_of(2)), c).status)
    assert.equal(200, ask(request(body_of(2), { secret = "other" }), c).status)
    intake:deny "shop"
    assert.equal(202, ask(request(body_of(3), { secret = "other" }), c).status)
    assert.equal(202, ask(request(body_of(3), { secret = "" }), c).status)
    c:close()
  end)

  it("serves TLS connections that the server has opened", function()
    local cert = certificate.make(home, "own")
    local secure = listen { tls = assert(tls.load(cert)) }
    intake:serve(secure)
    local script = ([[
import socket, ssl, sys
c = ssl.create_default_context(cafile=%q)
c.check_hostname = False
s = c.wrap_socket(socket.create_connection(("127.0.0.1", %d)), server_hostname="localhost")
f = s.makefile("rwb")
for i in range(20):
    body = b'{"n":%%d,"a":"%%s"}' %% (i, b"x" * 20000) if i %% 4 else b"other"
    head = "POST %%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Secret: s3cret\r\nContent-Length: %%d\r\n\r\n"
    f.write((head %% ("/in/shop" if i %% 4 else "/elsewhere", len(body))).encode() + body)
    f.flush()
    status = f.readline().split()[1].decode()
    n = 0
    while True:
        line = f.readline().strip()
        if not line: break
        if line.lower().startswith(b"content-length:"): n = int(line.split(b":")[1])
    f.read(n)
    print(status, end=" ")
]]):format(cert.certificate, secure:port())
    local r = process.run { "python3", "-c", script }
    assert.equal(("202 200 200 200 "):rep(5), r.out, r.err)
    assert.equal(15, #rows(15))
    eventually("nobody is connected", function() return secure:stats().open == 0 end)
    secure:close()
  end)

  it("counts connections at the server that has accepted them", function()
    local small = listen { per_address = 2 }
    intake:serve(small)
    local function connect_small() return assert(tcp.connect("127.0.0.1", small:port())) end
    local a, b = connect_small(), connect_small()
    assert.equal(200, ask(request(body_of(1)), a).status)
    assert.equal(200, ask(request(body_of(2)), b).status)
    assert.equal(2, small:stats().open)
    assert.equal(503, ask(request(body_of(3)), connect_small()).status)
    a:close()
    eventually("a place", function() return small:stats().open < 2 end)
    assert.equal(200, ask(request(body_of(3)), connect_small()).status)
    b:close()
    small:close()
  end)

  it("accepts what it may, and leaves more to the server", function()
    intake:close()
    intake = assert(open { connections = 3 })
    intake:serve(server)
    intake:allow("shop", SECRET)
    local all = {}
    for i = 1, 12 do
      all[i] = connect()
      assert.equal(200, ask(request(body_of(i)), all[i]).status)
    end
    eventually("a bound", function() return connected() == 12 and intake:stats().http.open <= 3 end)
    for i, c in ipairs(all) do assert.equal(200, ask(request(body_of(i)), c).status) end
    for i, c in ipairs(all) do assert.equal(202, ask(request(tostring(i), { target = "/elsewhere" }), c).status) end
    for _, c in ipairs(all) do c:close() end
    eventually("nobody is connected", function() return connected() == 0 end)
  end)

  it("drains: what comes is answered, for the last time, and nobody is kept", function()
    local idle, busy = connect(), connect()
    ask(request(body_of(1)), idle)
    ask(request(body_of(2)), busy)
    assert(busy:write(request(body_of(3)):sub(1, -3)))
    task.sleep(0.05)
    server:drain()
    intake:drain()
    assert.equal("", idle:read(nil, 30))
    assert(busy:write(request(body_of(3)):sub(-2)))
    local r = answer(busy)
    assert.same({ 200, "close" }, { r.status, r.headers.connection })
    assert.equal("", busy:read(nil, 30))
    idle:close()
    busy:close()
    assert.equal(3, #rows(3))
  end)

  it("closes with connections of every kind, and with the server closed before it", function()
    local all = {}
    for i = 1, 8 do
      all[i] = connect()
      ask(request(body_of(i)), all[i])
      if i % 2 == 0 then assert(all[i]:write(request(body_of(i)):sub(1, 20 * i))) end
    end
    server:close()
    intake:close()
    for _, c in ipairs(all) do
      c:read(nil, 30)
      c:close()
    end
    assert.has_error(function() intake:waiting "shop" end)
  end)

  it("ends the wait of who takes when it is closed", function()
    local waiting = task.spawn(function() return intake:take(1) end)
    task.sleep(0)
    intake:close()
    local good, got, err = waiting:join(30)
    assert.is_true(good)
    assert.is_nil(got)
    assert.equal("closed", err.code)
  end)

  it("does not open a file that another one has, or that is no database", function()
    local other, err = open()
    assert.is_nil(other)
    assert.equal("busy", err.code)
    assert(fs.write(home .. "/text", ("no database "):rep(100)))
    other, err = open { path = home .. "/text" }
    assert.is_nil(other)
    assert.equal("corrupt", err.code)
    other, err = open { path = home .. "/none/intake.db" }
    assert.is_nil(other)
    assert.equal("permission", err.code)
  end)

  it("says 503 when nothing can be stored, tells why, and goes on when it can be", function()
    intake:close()
    intake = assert(open { path = home .. "/small.db", pages_max = 12 })
    intake:serve(server)
    intake:allow("shop", SECRET)
    assert.equal(200, ask(request(body_of(1))).status)
    local r = ask(request('{"n":2,"a":"' .. ("x"):rep(100000) .. '"}'))
    assert.equal(503, r.status)
    assert.equal("storage_failed", json.decode(r.body).code)
    assert.equal(200, ask(request(body_of(3))).status)
    local got = rows(3)
    assert.same({ 1, 3 }, { got[1].value.n, got[3].value.n })
    assert.same({ false, "disk_full", "shop" }, { got[2].stored, got[2].err.code, got[2].source })
    assert.equal(2, intake:waiting "shop")
    assert.equal(1, intake:stats().failed)
  end)
end)
