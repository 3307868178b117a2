local control = require "host.control"
local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local supervised = require "spec.support.supervised"
local task = require "host.task"
local temporary = require "parley.util.temporary"

local alive, eventually = programs.alive, programs.eventually
local launch, start = supervised.launch, supervised.start

describe("the supervisor", function()
  after_each(supervised.end_all)

  it("runs as many workers as it is told and says where it listens", function()
    local host = start { workers = 3 }
    local status = host:status()
    assert.equal("ready", status.state)
    assert.equal(host.pid, status.pid)
    assert.equal("127.0.0.1:" .. host.port, status.listen.public)
    assert.equal(3, #status.workers)
    for i, w in ipairs(status.workers) do
      assert.equal("ready", w.state)
      assert.same({ index = i - 1, count = 3 }, w.status)
      assert.equal(0, w.restarts)
      assert.is_true(w.rss_bytes > 1e6)
      assert.is_true(w.heartbeat_age_ms < 10000)
    end
    assert.equal("extra nil", host:get("environment"))
  end)

  it("keeps the control socket to its user", function()
    local host = start()
    assert.equal("600\n700\n", programs.run({ "stat", "-c", "%a", host.home .. "/run/control.sock", host.home .. "/run" }).out)
  end)

  it("replaces a worker that crashes; no connection is refused meanwhile", function()
    local host = start()
    local first = host:get("pid")
    local refused, asked, done = {}, 0, false
    local client = task.spawn(function()
      while not done do
        local body, err = host:get("pid")
        asked = asked + 1
        if not body and err:match("^connect") then refused[#refused + 1] = err end
      end
    end)
    host:get("crash")
    local second = eventually("another worker", function()
      local pid = host:get("pid")
      return pid ~= first and pid
    end)
    done = true
    client:join()
    assert.is_true(asked > 0)
    assert.same({}, refused)
    assert.are_not.equal(first, second)
    assert.equal("nobody", host:get("suspect"))
    assert.equal(1, host:status().workers[1].restarts)
    assert.matches("ended by signal 9", host:err())
    assert.is_nil(host:err():find "crasher")
  end)

  -- What a worker does to itself, who is to blame, and what the log says.
  for _, case in ipairs {
    { "segv", "crasher SEGV", "signal 11" },
    { "abort", "crasher ABRT", "signal 6" },
    { "segv_of_mine", "nobody", "signal 11" },
  } do
    it("blames the plugin that was on the CPU for a crash, and nobody else (" .. case[1] .. ")", function()
      local host = start()
      local first = host:get("pid")
      host:get(case[1])
      eventually("another worker", function()
        local pid = host:get("pid")
        return pid and pid ~= first
      end)
      assert.equal(case[2], host:get("suspect"))
      -- A sanitizer reports the fault and exits.
      local line = json.decode(host:err():match '{[^\n]*ended by signal[^\n]*' or host:err():match '{[^\n]*exited with 1"[^\n]*')
      assert.truthy(line.msg:find(case[3], 1, true) or line.msg:find "exited with 1$")
      assert.equal(case[2] ~= "nobody" and "crasher" or nil, line.plugin)
    end)
  end

  it("blames nobody for a signal that somebody else has sent, whatever it is called", function()
    local host = start()
    for _, signal in ipairs { "SEGV", "ABRT", "BUS", "ILL", "FPE", "TERM", "KILL" } do
      local pid = host:get("pid")
      assert.equal("nobody", host:get("suspect_now"))
      programs.kill(pid, signal)
      eventually("another worker after " .. signal, function()
        local now = host:get("pid")
        return now and now ~= pid
      end)
      assert.equal("nobody", host:get("suspect"))
    end
  end)

  it("replaces a worker that hangs and tells its successor which plugin it was", function()
    local host = start { workers = 2, hang_ms = 1000 }
    host:get("hang")
    eventually("a restart", function()
      local ws = host:status().workers
      return ws[1].restarts + ws[2].restarts == 1 and ws[1].state == "ready" and ws[2].state == "ready"
    end)
    local seen = {}
    eventually("both workers asked", function()
      seen[assert(host:get("suspect"))] = true
      return seen["looper nil"]
    end)
    local line = json.decode(host:err():match("[^\n]* hung [^\n]*"))
    assert.equal("looper", line.plugin)
    assert.is_true(line.critical)
  end)

  it("keeps what a worker has published, for the others and for its successor", function()
    local host = start()
    assert.equal("nil, nil", host:get("published"))
    assert.equal("true", host:get("publish"))
    local text = "worker 0: " .. host:get("pid") .. ", nil"
    assert.equal(text, host:get("published"))
    assert.equal("too_large", host:get("publish_much"))
    host:get("crash")
    eventually("its successor", function() return host:get("published") == text end)
    assert.equal("true", host:get("publish"))
    assert.are_not.equal(text, host:get("published"))
  end)

  it("has one shelf for all workers, also for those that come later", function()
    local host = start { workers = 2 }
    assert.equal("nil", host:get "get")
    assert.equal("true", host:get "put")
    local seen = {}
    eventually("both", function()
      assert.is_truthy(host:get("get"):find "^[01]$")
      host:get "put"
      seen[host:get "get"] = true
      return seen["0"] and seen["1"]
    end)
    host:get "crash"
    eventually("the successor", function() return host:status().workers[1] and host:status().workers[2] end)
    for _ = 1, 10 do assert.is_truthy(host:get("get"):find "^[01]$") end
  end)

  it("lets every worker read what the others publish", function()
    local host = start { workers = 2 }
    local texts = {}
    for i, w in ipairs(host:status().workers) do texts[i] = ("worker %d: %d"):format(i - 1, w.pid) end
    eventually("both to publish", function()
      host:get("publish")
      return host:get("published") == table.concat(texts, ", ") .. ", nil"
    end)
  end)

  it("does not take a worker that was stopped together with it for one that hangs", function()
    local host = start { hang_ms = 2000 }
    local worker = host:get("pid")
    host:signal("STOP")
    programs.kill(worker, "STOP")
    task.sleep(2.5)
    host:signal("CONT")
    task.sleep(0.2)
    programs.kill(worker, "CONT")
    assert.equal(worker, host:get("pid"))
    assert.equal(0, host:status().workers[1].restarts)
  end)

  it("lets a running request finish when it is told to stop, and refuses new ones", function()
    local host = start()
    local slow = task.spawn(function() return host:get("slow") end)
    eventually("a busy worker", function() return host:get("pid") end)
    host:signal("TERM")
    eventually("a closed port", function() local _, err = host:get("pid") return err and err:match("^connect") end)
    local _, body = slow:join()
    assert.equal("slow is done", body)
    assert.equal(0, host:exit_code())
    assert.is_false(fs.exists(host.home .. "/run/control.sock"))
  end)

  it("ends what does not finish within the limit", function()
    local host = start { drain_ms = 200 }
    local slow = task.spawn(function() return host:get("very_slow", 20) end)
    eventually("a busy worker", function() return host:get("pid") end)
    host:signal("TERM")
    assert.equal(0, host:exit_code())
    local _, body = slow:join()
    assert.is_nil(body)
    assert.matches("did not finish in time", host:err())
  end)

  it("ends at once at the second signal", function()
    local host = start { drain_ms = 60000 }
    local slow = task.spawn(function() return host:get("very_slow", 20) end)
    eventually("a busy worker", function() return host:get("pid") end)
    host:signal("TERM")
    eventually("draining", function() return host:status().state == "draining" end)
    host:signal("INT")
    assert.equal(0, host:exit_code())
    slow:join()
  end)

  it("answers a stop when everything has ended", function()
    local host = start { workers = 2 }
    local pids = {}
    for i, w in ipairs(host:status().workers) do pids[i] = w.pid end
    assert.same({ ok = true, result = { stopped = true, killed = 0 } }, host:ask { cmd = "stop" })
    for _, pid in ipairs(pids) do assert.is_false(alive(pid)) end
    assert.equal(0, host:exit_code())
  end)

  it("replaces a worker that an operator drains", function()
    local host = start()
    local first = host:get("pid")
    programs.kill(first, "TERM")
    eventually("another worker", function() local pid = host:get("pid") return pid and pid ~= first end)
    assert.matches("worker 0 exited with 0", host:err())
  end)

  it("takes its workers with it, however it ends", function()
    local host = start { workers = 2 }
    local pids = {}
    for i, w in ipairs(host:status().workers) do pids[i] = w.pid end
    host:signal("KILL")
    assert.equal("KILL", host:exit_code())
    for _, pid in ipairs(pids) do
      eventually("the end of a worker", function() return not alive(pid) end)
    end
    host = start({}, host.home) -- neither lock nor socket file is in the way
    assert.is_truthy(host:get("pid"))
  end)

  it("refuses a home that another host uses", function()
    local first = start()
    local second = launch({}, first.home)
    assert.equal(75, second:exit_code())
    assert.matches(("another parley serve %%(pid %d%%) runs on this home"):format(first.pid), second:err())
    assert.is_truthy(first:get("pid"))
    assert.equal("ready", first:status().state)
  end)

  it("says which address is taken", function()
    local first = start()
    local second = launch { listen = { public = "127.0.0.1:" .. first.port } }
    assert.equal(71, second:exit_code())
    assert.matches("cannot listen on 127.0.0.1:" .. first.port .. ".*another program", second:err())
  end)

  for _, bad in ipairs { "8080", "host:", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", "unix:" } do
    it("refuses to listen on '" .. bad .. "'", function()
      local host = launch { listen = { public = bad } }
      assert.equal(71, host:exit_code())
      assert.matches("cannot listen on " .. bad:gsub("%p", "%%%0"), host:err())
    end)
  end

  it("leaves an ordinary file alone that stands where its socket should", function()
    local home = assert(temporary.folder())
    fs.write(home .. "/precious", "text")
    local host = launch({ listen = { public = "unix:" .. home .. "/precious" } }, home)
    assert.equal(71, host:exit_code())
    assert.equal("text", fs.read(home .. "/precious"))
  end)

  it("waits longer and longer for a worker that cannot live", function()
    local host = start()
    fs.write(host.home .. "/crash_at_start", "")
    host:get("crash")
    eventually("a third wait", function() return host:err():match("again in 400 ms") end)
    assert.matches("again in 100 ms.*again in 200 ms.*again in 400 ms", host:err())
    os.remove(host.home .. "/crash_at_start")
    eventually("a worker that lives", function() return host:get("pid") end)
  end)

  it("gives up when its workers refuse to start, with their exit code", function()
    local home = assert(temporary.folder())
    fs.write(home .. "/refuse_to_start", "")
    assert.equal(78, launch({ workers = 2 }, home):exit_code())
  end)

  it("gives up when its workers crash at every start", function()
    local home = assert(temporary.folder())
    fs.write(home .. "/crash_at_start", "")
    assert.equal(70, launch({}, home):exit_code())
  end)
end)

describe("the control socket", function()
  local host

  setup(function() host = start { workers = 2 } end)
  teardown(supervised.end_all)

  local function refused(request)
    local reply = assert(host:ask(request))
    assert.is_false(reply.ok)
    return reply.error.code, reply.error.message
  end

  it("reloads every worker", function()
    local reply = host:ask { cmd = "reload" }
    assert.is_true(reply.ok)
    assert.same({ reloaded = true, cmd = "reload" }, reply.result)
    assert.equal(2, #reply.workers)
  end)

  it("reports a reload that failed, and why", function()
    fs.write(host.home .. "/broken", "")
    local code, message = refused { cmd = "reload" }
    os.remove(host.home .. "/broken")
    assert.equal("config", code)
    assert.equal("conf.lua:7: expected a number", message)
  end)

  it("reports a handler that raises", function()
    fs.write(host.home .. "/raises", "")
    local code, message = refused { cmd = "reload" }
    os.remove(host.home .. "/raises")
    assert.equal("exception", code)
    assert.matches("out of luck", message)
  end)

  it("reloads at SIGHUP", function()
    host:signal("HUP")
    eventually("a line in the log", function() return host:err():match("reloaded in every worker") end)
  end)

  it("hands other commands to the worker that is named", function()
    local reply = host:ask { cmd = "echo", worker = 1, data = { 1, "ü", json.null } }
    assert.same({ ok = true, result = { cmd = "echo", worker = 1, data = { 1, "ü", json.null } },
      workers = { { index = 1, ok = true, result = reply.result } } }, reply)
    assert.equal("not_found", refused { cmd = "echo", worker = 2 })
    assert.equal("not_found", refused { cmd = "echo", worker = 0.5 })
  end)

  it("lets a worker tell the others to look, and not itself", function()
    assert.is_true(host:ask({ cmd = "nudge", worker = 1 }).ok)
    local function looks(i) return host:ask({ cmd = "looks", worker = i }).result.looks end
    eventually("the other has heard", function() return looks(0) == 1 end)
    assert.equal(0, looks(1))
  end)

  it("refuses what it does not know", function()
    assert.equal("not_supported", refused { cmd = "nonsense" })
    assert.equal("invalid", refused { cmd = "" })
    assert.equal("invalid", refused { cmd = "two words" })
    assert.equal("invalid", refused { cmd = 7 })
    assert.equal("invalid", refused { other = true })
    assert.equal("invalid", refused { cmd = "unspeakable" })
  end)

  it("says whether nobody is there", function()
    local reply, err = control.request("/nowhere/control.sock", { cmd = "status" })
    assert.is_nil(reply)
    assert.equal("not_found", err.code)
    reply, err = control.request("/" .. ("x"):rep(200), { cmd = "status" })
    assert.is_nil(reply)
    assert.equal("invalid", err.code)
  end)

  it("ends a request that is larger than its limit", function()
    local reply, err = host:ask { cmd = "echo", data = ("x"):rep(200000) }
    assert.is_nil(reply)
    assert.is_string(err.code)
    assert.is_true(host:ask({ cmd = "echo" }).ok)
  end)
end)
