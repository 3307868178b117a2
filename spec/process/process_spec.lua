local fs = require "host.fs"
local process = require "host.process"
local programs = require "spec.support.process"
local support = require "spec.support.host"
local task = require "host.task"

local function sh(script, more)
  local o = { argv = { "sh", "-c", script } }
  for k, v in pairs(more or {}) do o[k] = v end
  return assert(process.spawn(o))
end

local alive = programs.alive

describe("host.process", function()
  it("runs a program and says how it ended", function()
    local p = sh "echo out; echo err >&2; exit 3"
    assert.same({ code = 3 }, p:wait(60))
    assert.equal("out\n", p:read(nil, 60))
    assert.equal("err\n", p:read_err(nil, 5))
    assert.same({ code = 3 }, p:wait(60))
    assert.same({ signal = "TERM" }, sh("kill $$"):wait(5))
    assert.same({ signal = 30 }, sh("kill -30 $$"):wait(5))
  end)

  it("reads lines and bytes, and what the end cuts off", function()
    local p = sh "printf 'one\\r\\n\\ntwo\\nabcdefgh'"
    assert.equal("one", p:read_line(60))
    assert.equal("", p:read_line(60))
    assert.equal("two", p:read_line(60))
    assert.equal("abc", p:read(3, 5))
    assert.equal("de", p:read(2, 5))
    assert.equal("fgh", p:read(100, 5))
    local line, err = p:read_line(60)
    assert.is_nil(line)
    assert.same({ code = "closed", message = "the input has ended", retryable = false, op = "process.read" }, err)
    assert.equal("", p:read(nil, 60))
    assert.equal("closed", select(2, p:read(1, 5)).code)
    assert.equal("cut", sh("printf cut"):read_line(60))
  end)

  it("keeps what a read that timed out has not taken", function()
    local p = sh("printf half; read go; echo ' whole'", { stdin = "pipe" })
    local line, err = p:read_line(0.05)
    assert.is_nil(line)
    assert.equal("timeout", err.code)
    assert.is_true(p:write("go\n", 60))
    assert.equal("half whole", p:read_line(60))
  end)

  it("writes to its stdin, by text or bit by bit", function()
    assert.equal("TEXT", sh("tr a-z A-Z", { input = "text" }):read(nil, 5))
    assert.equal("", sh("cat", { input = "" }):read(nil, 5))
    local p = sh("cat", { stdin = "pipe" })
    assert.is_true(p:write("a\0b\n", 60))
    assert.equal("a\0b", p:read_line(60))
    assert.is_true(p:close_stdin())
    assert.is_true(p:close_stdin())
    assert.equal("closed", select(2, p:write("late", 60)).code)
    assert.same({ code = 0 }, p:wait(60))
  end)

  it("gets an error, not a signal, when the child does not read", function()
    local p = sh("exec <&-; echo ready; read never </dev/null; sleep 60", { stdin = "pipe" })
    assert.equal("ready", p:read_line(60))
    local ok, err = p:write("x", 60)
    assert.is_nil(ok)
    assert.equal("closed", err.code)
    p:close()
  end)

  it("makes the child wait when nobody reads, and loses nothing", function()
    local p = sh("head -c 300000 /dev/zero | tr '\\0' x; echo; echo done >&2", { max_buffer = 1000 })
    local result, err = p:wait(0.1)
    assert.is_nil(result)
    assert.equal("timeout", err.code)
    assert.equal("too_large", select(2, p:read_line(60)).code)
    local n = 0
    while true do
      local piece = p:read(777, 5)
      if not piece then break end
      n = n + #piece
    end
    assert.equal(300001, n)
    assert.equal("done", p:read_err_line(5))
    assert.same({ code = 0 }, p:wait(60))
  end)

  it("takes in a large text while it writes out a larger one", function()
    local text = ("0123456789"):rep(50000)
    local p = sh("cat; cat /dev/null", { stdin = "pipe", max_buffer = 2 ^ 20 })
    local writer = task.spawn(function()
      assert(p:write(text, 10))
      return p:close_stdin()
    end)
    assert.equal(text, p:read(nil, 60))
    assert.is_true(writer:join())
  end)

  it("leads streams to files, to nothing, and into one another", function()
    local dir = support.temp_dir()
    assert.same({ code = 0 }, sh("echo file; echo too >&2", { stdout = dir .. "/out", stderr = "stdout" }):wait(5))
    assert.equal("file\ntoo\n", fs.read(dir .. "/out"))
    assert.equal("file\n", sh("head -1", { stdin = dir .. "/out" }):read(nil, 5))
    assert.equal("a\nb\n", sh("echo a; echo b >&2", { stderr = "stdout" }):read(nil, 5))
    local p = sh("echo gone", { stdout = "null" })
    assert.has_error(function() p:read() end, "its stdout is no pipe")
    assert.same({ code = 0 }, p:wait(60))
    local none, err = process.spawn { argv = { "true" }, stdout = dir .. "/no/such/folder" }
    assert.is_nil(none)
    assert.equal("not_found", err.code)
    assert.truthy(err.message:find(dir .. "/no/such/folder", 1, true))
  end)

  it("sets environment and folder", function()
    local dir = fs.realpath(support.temp_dir())
    local p = sh('echo "$SPEC_A,${HOME-none},$PWD"', { env = { SPEC_A = "a b=c", HOME = false }, cwd = dir })
    assert.equal("a b=c,none," .. dir, p:read_line(60))
    p = assert(process.spawn { argv = { "/usr/bin/env" }, env = { ONLY = "this", N = 5 }, clear_env = true })
    local lines = { p:read_line(60), p:read_line(60), (p:read_line(60)) }
    table.sort(lines)
    assert.same({ "N=5", "ONLY=this" }, lines)
  end)

  it("gives the child its three streams, no other descriptor, and default signals", function()
    local open = assert(io.open("/dev/null")) -- LuaJIT opens without close-on-exec
    local p = assert(process.spawn { argv = { "ls", "/proc/self/fd" } })
    assert.equal("0\n1\n2\n3\n", p:read(nil, 60)) -- 3 is the folder that ls reads
    open:close()
    p = assert(process.spawn { argv = { "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status" } })
    for line in p:read(nil, 60):gmatch "[^\n]+" do assert.matches("^%a+:\t0+$", line) end
  end)

  it("says what cannot be started", function()
    for path, code in pairs {
      ["no-such-program"] = "not_found", ["/no/such/program"] = "not_found", ["/etc/passwd"] = "permission",
      ["/tmp"] = "permission",
    } do
      local p, err = process.spawn { argv = { path } }
      assert.is_nil(p)
      assert.equal(code, err.code)
      assert.truthy(err.message:find(path, 1, true))
    end
    local p, err = process.spawn { argv = { "true" }, cwd = "/no/such/folder" }
    assert.is_nil(p)
    assert.equal("not_found", err.code)
    assert.matches("/no/such/folder", err.message)
  end)

  it("refuses what makes no sense, at the caller's line", function()
    for pattern, o in pairs {
      ["argv: a list"] = {},
      ["argv%[2%]: a string"] = { argv = { "a", true } },
      ["argv%[1%] holds a zero"] = { argv = { "a\0b" } },
      ["unknown option 'args'"] = { argv = { "true" }, args = {} },
      ["either input or stdin"] = { argv = { "true" }, input = "", stdin = "null" },
      ["stdout: pipe, null, inherit or a path"] = { argv = { "true" }, stdout = "stdout" },
      ["stderr: .* stdout or a path .* got 'file'"] = { argv = { "true" }, stderr = "file" },
      ["env: NAME = text"] = { argv = { "true" }, env = { "A=b" } },
      ["env%[%d+%] holds a zero"] = { argv = { "true" }, env = { A = "b\0" } },
      ["max_buffer: 1 to"] = { argv = { "true" }, max_buffer = 0 },
    } do
      local ok, message = pcall(process.spawn, o)
      assert.is_false(ok, pattern)
      assert.matches(pattern, message)
    end
    local p = sh "sleep 60"
    assert.has_error(function() p:kill "NOPE" end, "there is no signal 'NOPE'")
    assert.has_error(function() p:read(0) end)
    p:close()
    assert.has_error(function() p:pid() end, "the process was closed")
  end)

  it("has one reader at a time, and any number of waiters", function()
    local p = sh("read go; exit 4", { stdin = "pipe" })
    local reader = task.spawn(function() return p:read_line(60) end)
    task.sleep(0)
    assert.has_error(function() p:read_line(1) end, "another task is reading from it")
    local codes = {}
    local waiters = {}
    for i = 1, 3 do waiters[i] = task.spawn(function() codes[i] = p:wait(60).code end) end
    p:write "go\n"
    for _, w in ipairs(waiters) do w:join() end
    assert.same({ 4, 4, 4 }, codes)
    assert.is_nil((select(2, reader:join())))
    local ok, err = p:kill "TERM"
    assert.is_nil(ok)
    assert.equal("closed", err.code)
  end)

  it("ends a read whose task is cancelled, and lets the next one read", function()
    local p = sh("read go; echo after", { stdin = "pipe" })
    local reader = task.spawn(function() return p:read_line() end)
    task.sleep(0)
    reader:cancel()
    p:write "go\n"
    assert.equal("after", p:read_line(60))
  end)

  it("kills the child when it is closed, or nothing refers to it", function()
    local p = sh "echo; exec sleep 60"
    p:read_line(60)
    local pid = p:pid()
    local waiter = task.spawn(function() return p:wait() end)
    task.sleep(0)
    p:close()
    p:close()
    local _, result, err = waiter:join()
    assert.is_nil(result)
    assert.equal("closed", err.code)
    programs.eventually("its end", function() return not alive(pid) end)
    p = sh "exec sleep 60"
    pid = p:pid()
    assert.is_true(alive(pid))
    p = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    programs.eventually("its end", function() return not alive(pid) end)
  end)

  it("takes the child along when the process is killed", function()
    local dir = support.temp_dir()
    local script = dir .. "/orphan_spec.lua"
    assert(fs.write(script, ([[
      local p = assert(require("host.process").spawn { argv = { "sh", "-c", "echo $$ > %s/pid; exec sleep 60" } })
      p:wait()
    ]]):format(dir)))
    local host = assert(process.spawn { argv = { programs.EXE, "busted", script } })
    local pid = programs.eventually("its child", function() return tonumber(fs.read(dir .. "/pid") or "") end)
    assert.is_true(alive(pid))
    host:kill "KILL"
    assert.same({ signal = "KILL" }, host:wait(5))
    programs.eventually("its end", function() return not alive(pid) end)
  end)
end)
