local fs = require "host.fs"
local isolate = require "host.isolate"
local process = require "host.process"
local support = require "spec.support.process"
local task = require "host.task"

local prelude = require("parley.engine.prelude").text()
local sanitized = support.EXE:find "/[at]san/" ~= nil

local function new(module, memory)
  return assert((module or isolate).new { name = "t", memory = memory or 2 ^ 22, prelude = prelude })
end

local function with_code(source, module)
  local sb = new(module)
  assert(sb:compile("main", source, "@main.lua"))
  return sb
end

local function descriptors()
  return #assert(fs.list "/proc/self/fd")
end

local function children() return support.children(tonumber(fs.read("/proc/self/stat"):match "^%d+")) end

local function status_of(pid) return assert(fs.read(("/proc/%d/status"):format(pid))) end

local function settled()
  support.eventually("no child is left", function() return isolate.stats().alive == isolate.stats().spares end)
end

after_each(function()
  isolate.keep(0)
  collectgarbage()
  support.eventually("every child is reaped", function() return isolate.stats().alive == 0 end)
end)

describe("an isolated state", function()
  it("lives in a confined process with one descriptor and an empty environment", function()
    local sb = with_code "return 1"
    local pid = sb:stats().pid
    assert.not_equal(tonumber(fs.read("/proc/self/stat"):match "^%d+"), pid)
    local status = status_of(pid)
    assert.matches("NoNewPrivs:%s1\n", status)
    assert.matches("Seccomp:%s2\n", status)
    assert.matches("CapEff:%s0000000000000000\n", status)
    if not sanitized then assert.same({ "0" }, fs.list(("/proc/%d/fd"):format(pid))) end
    assert.equal("", fs.read(("/proc/%d/environ"):format(pid)))
    local limits = assert(fs.read(("/proc/%d/limits"):format(pid)))
    for _, name in ipairs { "Max processes", "Max file size", "Max core file size" } do
      assert.matches(name .. "%s+0%s+0%s", limits)
    end
    if not sanitized then
      local memory = tonumber(limits:match "Max address space%s+(%d+)")
      assert.is_true(memory < 2 ^ 27, "address space: " .. memory)
      assert.matches("Max open files%s+1%s+1%s", limits)
    end
    assert.is_true(isolate.stats().confined)
  end)

  it("keeps several calls apart that wait at the door at the same time", function()
    local sb = with_code "local n = ... return host('first', n) + host('second', n)"
    local calls, out = {}, {}
    for i = 1, 5 do
      local kind, call, name, n = sb:start("main", 50, 5, i)
      assert.same({ "door", "first", i }, { kind, name, n })
      calls[i] = call
    end
    for i = 5, 1, -1 do
      local kind, call, name, n = calls[i]:answer(100 * i)
      assert.same({ "door", calls[i], "second", i }, { kind, call, name, n })
    end
    for i = 1, 5 do out[i] = { calls[i]:answer(i) } end
    for i = 1, 5 do assert.same({ "done", 101 * i }, out[i]) end
    assert.has_error(function() calls[1]:answer(1) end, "the call has ended")
    sb:close()
  end)

  it("goes by the clock of the host", function()
    local time = require "host.time"
    local sb = with_code "return os.time(), os.time(host 'advance')"
    local before = math.floor(time.now_ms() / 1000)
    local _, call = sb:start("main", 50, 5)
    time.advance(3600 * 1000)
    local kind, a, b = call:answer()
    assert.equal("done", kind)
    assert.is_true(a - before < 60)
    assert.is_true(b - a >= 3600)
    sb:close()
  end)

  it("does not run while it is stopped at the door, and ends with its call", function()
    local sb = with_code "host 'x'"
    local _, call = sb:start("main", 50, 5)
    call:stop()
    assert.has_error(function() call:answer() end, "the call has ended")
    assert.equal("door", (sb:start("main", 50, 5)))
    local pid = sb:stats().pid
    sb:close()
    collectgarbage()
    support.eventually("the process ends", function() return not support.alive(pid) end)
  end)

  it("lets calls under way finish when it is closed", function()
    local sb = with_code "return host 'x'"
    local _, call = sb:start("main", 50, 5)
    sb:close()
    assert.same({ "done", 7 }, { call:answer(7) })
    assert.has_error(function() sb:start("main", 50, 5) end, "the sandbox is closed")
    settled()
  end)

  it("fails its calls when its process is killed in the middle of one", function()
    local sb = with_code "while true do end"
    local results = {}
    local waiters = {}
    for i = 1, 3 do
      waiters[i] = task.spawn(function() results[i] = { sb:start("main", 60000, 60) } end)
    end
    task.sleep(0.05)
    support.kill(sb:stats().pid, "KILL")
    for i = 1, 3 do waiters[i]:join() end
    for i = 1, 3 do
      assert.equal("error", results[i][1])
      assert.equal("crashed", results[i][2].code)
      assert.matches("ended by signal 9", results[i][2].message)
    end
    assert.is_true(sb:stats().broken)
    local kind, err = sb:start("main", 50, 1)
    assert.equal("error", kind)
    assert.equal("disabled", err.code)
    sb:close()
    settled()
  end)

  it("is killed half a second after the deadline of a call that cannot be stopped", function()
    local sb = with_code "while true do end"
    support.kill(sb:stats().pid, "STOP") -- as a C function that never ends
    local before = isolate.stats().ended.deadline
    local kind, err = sb:start("main", 1000, 0.05)
    assert.equal("error", kind)
    assert.equal("timeout", err.code)
    settled()
    assert.equal(before + 1, isolate.stats().ended.deadline)
    sb:close()
  end)

  it("is killed half a second after its caller has given up, when it goes on", function()
    local sb = with_code "while true do end"
    support.kill(sb:stats().pid, "STOP")
    local before = isolate.stats().ended.deadline
    local caller = task.spawn(function() sb:start("main", 60000, 60) end)
    task.sleep(0.01)
    caller:cancel()
    settled()
    assert.equal(before + 1, isolate.stats().ended.deadline)
    sb:close()
  end)

  it("outlives a caller that has given up, when it stops", function()
    local sb = with_code "while true do end"
    assert(sb:compile("add", "local a, b = ... return a + b", "@add.lua"))
    local caller = task.spawn(function() sb:start("main", 60000, 60) end)
    task.sleep(0.01)
    caller:cancel()
    assert.is_true(sb:stats().broken) -- what it was in the middle of may be half done
    local pid = sb:stats().pid
    task.sleep(0.6)
    local kind, err = sb:start("add", 50, 5, 1, 2)
    assert.same({ "error", "disabled" }, { kind, err.code })
    assert.equal(pid, sb:stats().pid)
    sb:close()
  end)

  it("takes no more of a core than it is charged for", function()
    local function cpu_ms(pid) -- of a process, in steps of 10
      local fields = assert(fs.read(("/proc/%d/stat"):format(pid))):match "%) (.*)"
      local user, system = fields:match("^" .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
      return 10 * (user + system)
    end
    local sb = with_code "while true do end"
    local before = cpu_ms(sb:stats().pid)
    local _, err = sb:start("main", 300, 60)
    assert.equal("cpu_limit", err.code)
    local used = cpu_ms(sb:stats().pid) - before
    assert.is_true(used < 600, used .. " ms")
  end)

  it("ends with the process that started it", function()
    local host = assert(process.spawn {
      argv = { support.EXE, "lua", "/dev/stdin" }, stderr = "inherit",
      input = [[
        local isolate = require "host.isolate"
        local sb = assert(isolate.new { name = "t", prelude = require("parley.engine.prelude").text() })
        print(sb:stats().pid)
        io.stdout:flush()
        require("host.task").sleep(60)
      ]],
    })
    local pid = tonumber(assert(host:read_line(20)))
    assert.is_true(support.alive(pid))
    host:kill "KILL"
    support.eventually("the child ends", function() return not support.alive(pid) end)
    host:close()
  end)

  it("leaves neither descriptors nor processes behind", function()
    with_code("return 1"):close()
    settled()
    local fds, kids = descriptors(), children()
    for i = 1, 20 do
      local sb = with_code "return host 'x'"
      local _, call = sb:start("main", 50, 5)
      if i % 4 == 0 then support.kill(sb:stats().pid, "KILL") end
      if i % 3 == 0 then call:stop() elseif i % 3 == 1 then call:answer() end
      if i % 2 == 0 then sb:close() end
    end
    collectgarbage()
    collectgarbage()
    support.eventually("every child is reaped", function() return isolate.stats().alive == 0 end)
    assert.equal(fds, descriptors())
    assert.same(kids, children())
  end)
end)

describe("spares", function()
  local function spares(n)
    support.eventually(n .. " spares", function() return isolate.stats().spares == n end)
  end

  it("are kept warm, taken, and replaced", function()
    isolate.keep(2)
    spares(2)
    local before = isolate.stats().started
    local sb = with_code "return 1"
    assert.same({ "done", 1 }, { sb:start("main", 50, 5) })
    spares(2)
    assert.equal(before + 1, isolate.stats().started)
    assert.equal(3, isolate.stats().alive)
    sb:close()
    isolate.keep(0)
    settled()
  end)

  it("are replaced when one dies", function()
    isolate.keep(1)
    spares(1)
    local before = children()
    assert.equal(1, #before)
    support.kill(before[1], "KILL")
    support.eventually("another one", function()
      local now = children()
      return isolate.stats().spares == 1 and #now == 1 and now[1] ~= before[1]
    end)
  end)

  it("have the limits of the plugin that has taken one, of the kernel too", function()
    if sanitized then return end
    isolate.keep(1)
    spares(1)
    local spare = children()[1]
    local sb = new()
    assert.equal(spare, sb:stats().pid)
    local memory = fs.read(("/proc/%d/limits"):format(spare)):match "Max address space%s+(%w+)"
    assert.is_true((tonumber(memory) or math.huge) < 2 ^ 27, "address space: " .. memory)
    sb:close()
  end)

  it("that are being started when the host ends are gone with it", function()
    local host = assert(process.spawn {
      argv = { support.EXE, "lua", "/dev/stdin" }, stderr = "inherit",
      input = [[
        local isolate = require "host.isolate"
        local task = require "host.task"
        isolate.keep(3)
        for i = 1, 5 do
          task.spawn(function() isolate.new { name = "t", prelude = "return {}" } end)
        end
        task.sleep(0.001)
        print "begun"
      ]],
    })
    assert.equal("begun", host:read_line(20))
    assert.same({ code = 0 }, host:wait())
    host:close()
  end)
end)

describe("a child that has been taken over", function()
  local function of(mode)
    return isolate.of { "/proc/self/exe", "lua", "spec/engine/hostile_child.lua", mode }
  end

  local function reaped(module)
    support.eventually("the child is reaped", function() return module.stats().alive == 0 end)
  end

  -- The error of the first question that fails, up to a call.
  local function outcome(module, timeout)
    local sb, err = module.new { name = "t", memory = 2 ^ 22, prelude = "" }
    if not sb then return err end
    local ok
    ok, err = sb:compile("main", "", "=main")
    if not ok then return err end
    local kind, e = sb:start("main", 50, timeout or 5)
    -- what it sends behind an answer that was right is met at the next question
    if kind ~= "error" then kind, e = sb:start("main", 50, timeout or 5) end
    assert.equal("error", kind)
    assert.is_true(sb:stats().broken)
    return e
  end

  for _, mode in ipairs {
    "no_hello", "short_hello", "two_hellos", "garbage",
    "foreign_id", "twice", "unasked_type", "question_type", "oversized", "no_memory", "floods",
    "kind", "many_values", "many_pairs", "many_items", "absent_pairs", "long_string", "absent_string",
    "large_string", "deep", "nan_key", "nil_key",
    "door_without_name", "empty_door", "bad_code", "long_message", "short_failure",
  } do
    it("is ended at once: " .. mode, function()
      local module = of(mode)
      local err = outcome(module)
      assert.is_true(err.code == "crashed" or err.code == "disabled", err.code)
      reaped(module)
      assert.equal(1, module.stats().ended.protocol)
    end)
  end

  for _, mode in ipairs { "dies", "cut_off", "closes" } do
    it("is a crash: " .. mode, function()
      local module = of(mode)
      assert.equal("crashed", outcome(module).code)
      reaped(module)
      assert.equal(1, module.stats().ended.crashed)
    end)
  end

  it("is killed when it says nothing", function()
    local module = of "silent"
    assert.equal("timeout", outcome(module, 0.05).code)
    reaped(module)
    assert.equal(1, module.stats().ended.deadline)
  end)

  it("cannot make a pointer of a number", function()
    local sb = new(of "nan_bits")
    local kind, v = sb:start("main", 50, 5)
    assert.equal("done", kind)
    assert.equal("number", type(v))
    assert.not_equal(v, v)
    sb:close()
  end)

  it("cannot break the text of an error", function()
    local sb = new(of "raw_message")
    local kind, err = sb:start("main", 50, 5)
    assert.equal("error", kind)
    assert.equal("cpu_limit", err.code)
    assert.is_nil(err.message:find "[\254\255]")
    sb:close()
  end)

  it("that cannot confine itself is never used, and is not started again and again", function()
    local module = of "unfit"
    local sb, err = module.new { name = "t", prelude = prelude }
    assert.is_nil(sb)
    assert.equal("not_supported", err.code)
    assert.equal("the kernel is too old", err.message)
    reaped(module)
    assert.equal("the kernel is too old", module.stats().problem)
    local started = module.stats().started
    module.keep(3)
    task.sleep(0.2)
    assert.equal(started, module.stats().started)
    assert.equal(1, module.stats().ended.unfit)
  end)
end)

describe("a confined process", function()
  local function does(what)
    local child = assert(process.spawn {
      argv = { support.EXE, "lua", "spec/engine/confined.lua", what }, stdin = "null",
    })
    local how = assert(child:wait(20))
    child:close()
    return how
  end

  for _, what in ipairs { "nothing", "memory", "socket_zero" } do
    it("may: " .. what, function() assert.same({ code = 0 }, does(what)) end)
  end

  for _, what in ipairs {
    "open", "open_self", "socket", "fork", "clone", "vfork", "clone3", "exec", "kill_parent", "ptrace", "read_other",
    "executable", "make_executable", "map_file", "other_descriptor", "raise_limit", "io_uring", "bpf", "userfaultfd",
    "x32",
  } do
    it("is ended when it tries: " .. what, function()
      assert.same({ signal = 31 }, does(what)) -- SIGSYS
    end)
  end

  it("is kept from files by Landlock as well, where the kernel has it", function()
    new():close()
    local has_it = isolate.stats().landlock > 0
    assert.same({ code = has_it and 1 or 2 }, does "landlock")
  end)

  it("cannot write where people read", function()
    if not sanitized then assert.same({ signal = 31 }, does "write_stderr") end
  end)
end)
