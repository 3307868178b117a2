local crypto = require "host.crypto"
local fs = require "host.fs"
local http = require "host.http_client"
local http_server = require "host.http_server"
local json = require "host.json"
local python = require "spec.support.python"
local task = require "host.task"

describe("a form", function()
  local server, base, dir
  setup(function()
    server = python.start "spec/support/fake_http.py"
    base = "http://127.0.0.1:" .. server.port
  end)
  teardown(function() server:stop() end)
  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(fs.mkdir(dir))
  end)
  after_each(function()
    for _, name in ipairs(assert(fs.list(dir))) do fs.remove(dir .. "/" .. name) end
    fs.remove(dir)
  end)

  local function file(name, text)
    assert(fs.write(dir .. "/" .. name, text))
    return dir .. "/" .. name
  end

  local function send(parts, more)
    local o = { url = base .. "/form", multipart = parts, allow_private = true, timeout = 30 }
    for k, v in pairs(more or {}) do o[k] = v end
    return http.request(o)
  end

  local function seen(parts, more)
    local r = assert(send(parts, more))
    assert.equal(200, r.status)
    return json.decode(r.body)
  end

  local function sha(text) return crypto.hex(crypto.sha256(text)) end

  it("carries texts and files, whole", function()
    local noise = ("\0\r\n--\255"):rep(400000)
    local got = seen {
      { name = "chat_id", data = "7" },
      { name = "empty", data = "" },
      { name = "photo", data = "a\0b", filename = 'an "odd" name.png', content_type = "image/png" },
      { name = "document", file = file("noise.bin", noise) },
      { name = "other", file = file("x", ""), filename = "given.txt", content_type = "text/plain" },
    }
    assert.same({ "chat_id", "empty", "photo", "document", "other" },
      { got[1].name, got[2].name, got[3].name, got[4].name, got[5].name })
    assert.equal(sha "7", got[1].sha256)
    assert.equal(json.null, got[1].filename)
    assert.equal(0, got[2].length)
    assert.same({ "an %22odd%22 name.png", "image/png", sha "a\0b" }, { got[3].filename, got[3].type, got[3].sha256 })
    assert.same({ "noise.bin", #noise, sha(noise) }, { got[4].filename, got[4].length, got[4].sha256 })
    assert.same({ "given.txt", "text/plain", 0 }, { got[5].filename, got[5].type, got[5].length })
  end)

  it("has a file pass through without holding it in memory", function()
    local path = file("large", ("0123456789abcdef"):rep(3 * 1024 * 1024))
    local function peak() return tonumber(fs.read("/proc/self/status"):match "VmHWM:%s*(%d+)") end
    local clear = assert(io.open("/proc/self/clear_refs", "w")) -- the peak begins anew
    clear:write "5"
    clear:close()
    local before = peak()
    assert.equal(48 * 1024 * 1024, seen({ { name = "f", file = path } })[1].length)
    assert.is_true(peak() - before < 16 * 1024, ("%d KiB more"):format(peak() - before))
  end)

  it("says which file it cannot send, and sends nothing", function()
    local before = http.stats().started
    local cases = {
      [dir .. "/none"] = "not_found", [dir] = "invalid", ["/dev/null"] = "invalid",
    }
    for path, code in pairs(cases) do
      local r, err = send { { name = "f", file = path } }
      assert.is_nil(r)
      assert.equal(code, err.code, err.message)
      assert.truthy(err.message:find(path, 1, true), err.message)
    end
    assert.equal(before, http.stats().started)
  end)

  it("has limits", function()
    local path = file("f", ("x"):rep(1000))
    local _, err = send({ { name = "a", file = path }, { name = "b", data = "12345" } }, { max_upload = 1004 })
    assert.equal("too_large", err.code)
    assert.matches("1005 bytes, more than the 1004", err.message)
    assert(send({ { name = "a", file = path }, { name = "b", data = "12345" } }, { max_upload = 1005 }))
    local many = {}
    for i = 1, 64 do many[i] = { name = "p" .. i, data = "" } end
    assert.equal(64, #seen(many))
    many[65] = { name = "p65", data = "" }
    _, err = send(many)
    assert.equal("too_large", err.code)
  end)

  it("refuses what would break out of a part's head", function()
    for _, part in ipairs {
      { name = "a\r\nX: y", data = "" }, { name = "", data = "" }, { name = "a", data = "", filename = "b\nc" },
      { name = "a", data = "", content_type = "text/plain\r\nX: y" },
    } do
      local r, err = send { part }
      assert.is_nil(r)
      assert.equal("invalid", err.code)
    end
    local _, err = send({ { name = "a", data = "" } }, { headers = { ["Content-Type"] = "text/plain" } })
    assert.equal("invalid", err.code)
    _, err = send({ { name = "a", data = "" } }, { body = "x" })
    assert.equal("invalid", err.code)
  end)

  it("says what is no part", function()
    for message, parts in pairs {
      ["request: 'multipart' is a list of tables"] = { "x" },
      ["request: a part has 'name', and 'data' or 'file'"] = { { name = "a" } },
      ["request: 'file' of a part has a NUL in it"] = { { name = "a", file = "a\0b" } },
    } do
      assert.has_error(function() send(parts) end, message)
    end
    assert.has_error(function() send {} end, "request: 'multipart' is a list of tables")
    assert.has_error(function() send { { name = "a", data = "b", file = "c" } } end,
      "request: a part has 'name', and 'data' or 'file'")
  end)

  it("fails when a file becomes shorter on its way", function()
    local path = file("f", ("x"):rep(40 * 1024 * 1024))
    local slow = assert(http_server.listen({ port = 0 }, function(req) req:respond(200, "", "late") end))
    local before = http.stats().started
    local t = task.spawn(function()
      return send({ { name = "f", file = path } }, { url = ("http://127.0.0.1:%d/"):format(slow:port()) })
    end)
    -- It is open then, and most of it has not left: a turn of the loop sends a few MiB at most.
    repeat task.sleep(0) until http.stats().started > before
    assert.equal(0, os.execute(("truncate -s 100 '%s'"):format(path)))
    local _, r, err = t:join(30)
    assert.is_nil(r)
    assert.equal("io", err.code, err.message)
    assert.matches("part 'f': the file became shorter", err.message)
    slow:close()
  end)

  it("is sent again on a new connection when a pooled one has died, unless it may be sent once only", function()
    local path, calls, got = file("f", ("x"):rep(100000)), 0, nil
    local dying = assert(http_server.listen({ port = 0 }, function(req, _, where)
      calls, got = calls + 1, #req:body()
      if where == "/die" then req:abort() else req:respond(200, "", "ok") end
    end))
    local function post(where, once)
      return send({ { name = "f", file = path } }, {
        url = ("http://127.0.0.1:%d%s"):format(dying:port(), where), once = once,
      })
    end
    for once, expected in pairs { [true] = 2, [false] = 3 } do
      calls = 0
      assert.equal("ok", post("/", once).body)
      local r, err = post("/die", once)
      assert.is_nil(r)
      assert.equal("connection", err.code)
      assert.equal(expected, calls)
      assert.is_true(got > 100000)
    end
    dying:close()
  end)
end)
