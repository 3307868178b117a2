local fs = require "host.fs"
local json = require "host.json"
local log = require "host.log"
local programs = require "spec.support.process"
local task = require "host.task"

-- The line as a reader sees it: it must be one line of strict JSON.
local function read(level, message, fields)
  local line = log.line(level, message, fields)
  assert.equal("\n", line:sub(-1))
  assert.is_nil(line:sub(1, -2):find("[%z\1-\31]"))
  return assert(json.decode(line)), line
end

-- What a host of its own writes to stderr while it runs `source`.
local function stderr_of(source, n)
  local file = os.tmpname()
  os.remove(file)
  file = file .. ".lua" -- busted loads no other files
  assert(fs.write(file, 'local log = require "host.log" it("runs", function() ' .. source .. " end)"))
  -- All of them at once, into one pipe.
  local r = programs.run({
    "sh", "-c", 'for i in $(seq $2); do $0 busted -o TAP $1 >/dev/null & done; wait', programs.EXE, file, tostring(n or 1),
  })
  os.remove(file)
  return r.err
end

describe("a log line", function()
  it("has time, level, message and fields", function()
    local v, line = read("warn", "disk is filling", { free = 12, path = "/srv", ratio = 0.25, ok = false, none = json.null })
    assert.matches("^{\"time\":\"%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ\",\"level\":\"warn\",\"msg\":", line)
    assert.equal("disk is filling", v.msg)
    assert.same({ 12, "/srv", 0.25, false, json.null }, { v.free, v.path, v.ratio, v.ok, v.none })
    assert.is_nil(v.trace_id)
    assert.is_nil(v.truncated)
  end)

  it("carries the trace id of the task, or the one that is given", function()
    local id = ("ab"):rep(16)
    local handle = task.spawn(function()
      task.trace(id)
      return log.line("info", "x")
    end)
    local _, line = handle:join()
    assert.equal(id, json.decode(line).trace_id)
    assert.equal(("cd"):rep(16), read("info", "x", { trace_id = ("cd"):rep(16) }).trace_id)
    assert.is_nil(read("info", "x", { trace_id = 'a","level":"forged' }).trace_id)
  end)

  it("nests tables, to a depth", function()
    local v = read("info", "x", { err = { code = "timeout", list = { 1, { a = true } } }, empty = json.array(), o = {} })
    assert.same({ code = "timeout", list = { 1, { a = true } } }, v.err)
    assert.is_true(json.is_array(v.empty))
    assert.same({}, v.o)
    local cycle = {}
    cycle.again = cycle
    assert.matches("nested too deep", select(2, read("info", "x", cycle)))
    local odd = read("info", "x", { f = print, nan = 0 / 0, inf = -1 / 0, [1.5] = "k" })
    assert.same({ "function", "nan", "-inf", "k" }, { odd.f, odd.nan, odd.inf, odd["1.5"] })
  end)

  it("stays one line of valid JSON whatever it is given", function()
    for _, s in ipairs { "\n", "\0\1\31\127", '"\\', "\255\254", "\237\160\128", "\194\155", "é😀", "\226\130", "a\240\159x" } do
      local v = read("info", s, { [s] = s, list = { s } })
      assert.is_string(v.msg)
      assert.is_string(v.list[1])
    end
    assert.equal("a\239\191\189b", read("info", "a\255b").msg)
    assert.equal("\194\155[31m", read("info", "\194\155[31m").msg)
  end)

  it("keeps its own keys apart from the fields", function()
    local v = read("info", "real", { msg = "m", level = "l", time = "t", process = "p" })
    assert.same({ "real", "m", "info", "l", "t", "p" }, { v.msg, v.msg_, v.level, v.level_, v.time_, v.process_ })
  end)

  it("is cut at 16 KiB and says so", function()
    local wide, many = {}, {}
    for i = 1, 5000 do
      wide[i] = { n = i }
      many["k" .. i] = ("é"):rep(20)
    end
    local long = ("é"):rep(20000)
    for _, case in ipairs {
      { long }, { "x", { s = long } }, { "x", { l = { { { long } } } } }, { "x", { l = wide } }, { "x", many },
      { ("\1"):rep(20000), { trace_id = ("a"):rep(32) } }, { ("x"):rep(16256), { a = 1 } }, { ("x"):rep(15900), { k = long } },
    } do
      local v, line = read("info", case[1], case[2])
      assert.is_true(#line <= 16384)
      assert.is_true(#line > 15000)
      assert.is_true(v.truncated)
    end
    for n = 16100, 16300 do read("info", ("x"):rep(n), { a = { b = { "c" } } }) end
  end)
end)

describe("secrets", function()
  it("are replaced by the name of their field", function()
    for _, key in ipairs { "token", "bot_token", "X-Bot-Token", "secret", "signing_secret", "PASSWORD", "db_password",
      "Authorization", "api_key", "Api-Key", "llm_apikey", "Cookie", "private_key" } do
      local _, line = read("info", "x", { [key] = "canary", outer = { [key] = "canary", list = { { [key] = { "canary" } } } } })
      assert.is_nil(line:find("canary", 1, true), key)
      assert.matches("[redacted]", line, 1, true)
      assert.is_nil(log.line("info", "x", { [key] = "canary" }, "human"):find("canary", 1, true))
    end
    local v = read("info", "x", { token_id = "bot_1", prompt_tokens = 12, toke = "no" })
    assert.same({ "bot_1", 12, "no" }, { v.token_id, v.prompt_tokens, v.toke })
  end)

  it("are replaced wherever they look like one", function()
    local telegram = "123456789:" .. ("Aa1_-"):rep(7)
    for text, want in pairs {
      ["got prl_bot_12_aB9-x_y here"] = "got [redacted] here",
      ["prl_plg_1_s prl_adm_2_t"] = "[redacted] [redacted]",
      ["prl_bot_ and prl_ and prl__x and prl_BOT_x"] = "prl_bot_ and prl_ and prl__x and prl_BOT_x",
      ["Authorization: Bearer abcdefghijklmnopqrstuvwxyz"] = "Authorization: Bearer [redacted]",
      ["bearer of news"] = "bearer of news",
      ["postgres://parley:hunter2@db:5432/x"] = "postgres://parley:[redacted]@db:5432/x",
      ["http://h:80/a@b and a:b@c"] = "http://h:80/a@b and a:b@c",
      ["https://api.telegram.org/bot" .. telegram .. "/getMe"] = "https://api.telegram.org/bot123456789:[redacted]/getMe",
      ["12:30:59 and 1234567:short"] = "12:30:59 and 1234567:short",
      [""] = "",
    } do
      assert.equal(want, log.redact(text))
      assert.equal(want, read("info", text, { list = { text } }).msg)
      assert.equal(want, read("info", text, { list = { text } }).list[1])
    end
    -- Cutting a line must not cut a secret into something that is not recognised.
    for pad = 16150, 16260 do
      local line = log.line("info", ("x"):rep(pad) .. " " .. telegram)
      assert.is_nil(line:find("Aa1", 1, true))
    end
  end)
end)

describe("the form for people", function()
  it("is short, and quotes what has spaces", function()
    local line = log.line("warn", "plugin disabled", { plugin = "faq", why = "too slow", n = 3, o = { a = "b" } }, "human")
    assert.matches("^%d%d:%d%d:%d%d%.%d%d%d warn  plugin disabled ", line)
    for _, part in ipairs { " plugin=faq", ' why="too slow"', " n=3", ' o={"a":"b"}' } do
      assert.is_truthy(line:find(part, 1, true), part)
    end
    assert.is_nil(line:find("\27", 1, true))
  end)

  it("cannot drive the terminal or forge a line", function()
    local line = log.line("info", "a\27[2J\nb\194\155x", { k = "\27]0;t\7", ["\27k"] = "\r\n" }, "human")
    assert.is_nil(line:sub(1, -2):find("[%z\1-\31\127]"))
    assert.is_nil(line:find("\194\155", 1, true))
  end)
end)

describe("writing", function()
  it("drops what is below the level", function()
    local before = log.level()
    assert.equal("info", before)
    local text = stderr_of [[
      log.setup { form = "json", level = "warn", process = "worker 1" }
      log.debug("no1") log.info("no2") log.warn("yes1") log.error("yes2", { a = 1 }) log.log("info", "no3")
      log.level("debug") log.debug("yes3")]]
    local seen = {}
    for line in text:gmatch("[^\n]+") do
      local v = assert(json.decode(line))
      assert.equal("worker 1", v.process)
      seen[#seen + 1] = v.level .. " " .. v.msg
    end
    assert.same({ "warn yes1", "error yes2", "debug yes3" }, seen)
  end)

  it("keeps the lines of processes apart", function()
    local text = stderr_of([[
      log.setup { form = "json" }
      for i = 1, 300 do log.info("n", { i = i, pad = ("x"):rep(i % 200 * 15) }) end]], 4)
    local count = 0
    for line in text:gmatch("[^\n]+") do
      local v = assert(json.decode(line))
      assert.equal(v.i % 200 * 15, #v.pad)
      count = count + 1
    end
    assert.equal(1200, count)
  end)

  it("refuses misuse with the caller's argument", function()
    assert.has_error(function() log.log("fatal", "x") end)
    assert.has_error(function() log.info() end)
    assert.has_error(function() log.info("x", "y") end)
    assert.has_error(function() log.setup { form = "xml" } end)
  end)
end)
