local database = require "spec.support.database"
local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local sqlite = require "host.sqlite"
local task = require "host.task"

local function write_plugin(home, name, main, more)
  local dir = home .. "/plugins/" .. name
  assert(fs.mkdir(dir))
  local manifest = {
    schema = "v1alpha", name = name, version = "1.0.0", api = "1", transport = "lua",
    commands = { { name = name, description = name } },
  }
  for k, v in pairs(more or {}) do manifest[k] = v end
  assert(fs.write(dir .. "/manifest.json", json.encode(manifest)))
  assert(fs.write(dir .. "/main.lua", "local p = parley.plugin()\n" .. main .. "\nreturn p\n"))
end

local function greeter(home, text)
  write_plugin(home, "greet", ("p.on.command('greet', function(c) c:reply %q end)"):format(text))
end

describe("parley serve", function()
  local hosts = {}
  local function start(opts)
    local h = serve.start(opts)
    hosts[#hosts + 1] = h
    return h
  end
  after_each(function()
    for _, h in ipairs(hosts) do h:close() end
    hosts = {}
  end)

  it("prints a curl line that works as pasted", function()
    local h = start()
    local line = h:file("out"):match("  (curl .-\n.-\n.-)\n"):gsub("\\\n", " ")
    local r = assert(json.decode(programs.run({ "sh", "-c", line }).out))
    assert.equal("hello", r.text)
    assert.equal("echo", r.plugin.name)
  end)

  it("is what tools/run builds and starts", function()
    if programs.EXE ~= fs.realpath "build/parley" then return pending "tools/run starts the release build" end
    local h = start { argv = { "tools/run" } }
    assert.equal("hello", h:say("d", "/echo hello").body.text)
    assert.matches("\n  http://127%.0%.0%.1:%d+/chat#token=prl_bot_%w+_%w+\n", h:file "out")
    h:signal "TERM"
    assert.equal(0, h:exit_code())
  end)

  it("has tools/run take folders as whoever calls it means them", function()
    if programs.EXE ~= fs.realpath "build/parley" then return pending "tools/run starts the release build" end
    local dir = programs.run({ "mktemp", "-d" }).out:gsub("%s+$", "")
    assert(fs.write(dir .. "/wrong.lua", "return { nothing_like_it = 1 }"))
    local r = programs.run({ "sh", "-c", ("cd '%s' && '%s/tools/run' --home there --config wrong.lua"):format(dir,
      fs.realpath ".") }, { seconds = 120 })
    assert.equal(78, r.code, r.err)
    assert.matches("nothing_like_it", r.err)
    assert.truthy(fs.exists(dir .. "/there/conf/parley.lua"))
  end)

  it("sets an empty home up, and refuses a second host on it", function()
    local h = start()
    assert.truthy(fs.exists(h.home .. "/conf/parley.lua"))
    assert.truthy(fs.exists(h.home .. "/conf/rules.lua"))
    local code, out = h:run "serve"
    assert.equal(75, code)
    assert.matches("another parley serve %(pid " .. h.pid .. "%) runs on this home", out)
    assert.equal(200, h:say("d", "/echo still here").status)
  end)

  it("refuses a database in a file with which the host of another home works", function()
    if database.is_postgres then return pending "PostgreSQL is for several" end
    local path = serve.start { wait = false }
    path:close()
    local url = "sqlite:" .. path.home .. "/shared/one.db"
    local first = start { env = { PARLEY_DATABASE_URL = url } }
    local second = start { env = { PARLEY_DATABASE_URL = url }, wait = false }
    assert.equal(75, second:exit_code())
    assert.matches("another parley serve %(pid " .. first.pid .. "%) works with the database", second:file "err")
    assert.equal(200, first:say("d", "/echo still here").status)
    first:signal "TERM"
    assert.equal(0, first:exit_code())
    local third = start { env = { PARLEY_DATABASE_URL = url } }
    assert.equal(200, third:say("d", "/echo after it").status)
  end)

  it("shows its status, and says when no host runs", function()
    local h = start()
    local s = assert(h:status())
    assert.equal("ready", s.workers[1].state)
    assert.equal(1, s.workers[1].status.generations[1].number)
    local code, out = h:run "status"
    assert.equal(0, code)
    assert.matches("echo +1.0.0 +lua +trusted +active", out)
    assert.equal(0, (h:run "stop"))
    assert.equal(0, h:exit_code())
    for _, command in ipairs { "status", "reload", "stop" } do
      code, out = h:run(command)
      assert.equal(69, code)
      assert.matches("no host runs on .*: start it with parley serve", out)
    end
  end)

  it("takes up a changed plugin by parley reload and by SIGHUP", function()
    local h = start { prepare = function(home) greeter(home, "one") end }
    assert.equal("one", h:say("d", "/greet").body.text)
    greeter(h.home, "two")
    assert.equal("one", h:say("d", "/greet").body.text)
    local code, out = h:run "reload"
    assert.equal(0, code, out)
    assert.matches("^generation 2 serves: %d+ plugins", out)
    assert.equal("two", h:say("d", "/greet").body.text)
    greeter(h.home, "three")
    h:signal "HUP"
    serve.eventually("the third", function() return h:say("d", "/greet").body.text == "three" end)
  end)

  it("keeps the generation before when the next one is broken, and says where", function()
    local h = start { prepare = function(home) greeter(home, "fine") end }
    write_plugin(h.home, "greet", "\n\np.on.command('greet' function() end)")
    local code, out = h:run "reload"
    assert.equal(78, code)
    assert.matches("greet/main.lua:4:", out)
    assert.equal("fine", h:say("d", "/greet").body.text)
    greeter(h.home, "fine")

    assert(fs.write(h.home .. "/conf/rules.lua", "return {\n  { route = { plugn = 'greet' } },\n}\n"))
    code, out = h:run "reload"
    assert.equal(78, code)
    assert.matches("conf/rules.lua:2: rule 1", out)
    assert(fs.write(h.home .. "/conf/rules.lua", "return {}\n"))

    assert(fs.write(h.home .. "/conf/parley.lua", "return {\n  locales = 'en',\n}\n"))
    code, out = h:run "reload"
    assert.equal(78, code)
    assert.matches("conf/parley.lua:2: unknown key 'locales'%. Did you mean 'locale'%?", out)
    assert(fs.write(h.home .. "/conf/parley.lua", "return {\n  \239\240 = 'in another encoding',\n}\n"))
    code, out = h:run "reload"
    assert.equal(78, code)
    assert.matches("unknown key '??'", out, 1, true)
    h:signal "HUP"
    serve.eventually("the log line", function() return h:file("err"):find "reload failed in 1 of 1" end)
    assert.equal("fine", h:say("d", "/greet").body.text)
    assert.equal(1, h:status().workers[1].status.generations[1].number)
    local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
    local rows = db:query("SELECT severity FROM audit_logs WHERE source = 'host' AND action = 'reload'")
    db:close()
    assert.equal(5, #rows)
    assert.equal("error", rows[1].severity)
  end)

  it("refuses to start with a broken configuration, with file and line", function()
    for text, pattern in pairs {
      ["return {\n\n  workers = 'two',\n}\n"] = "parley.lua:3: 'workers': expected a number, got 'two'",
      ["return {\n  profile = \n}\n"] = "parley.lua:3: unexpected symbol",
      ["return {\n  plugins = { eco = {} },\n}\n"] = "plugins.eco: there is no plugin of this name. Did you mean 'echo'?",
    } do
      local h = start { wait = false, prepare = function(home)
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/parley.lua", text))
      end }
      assert.equal(78, h:exit_code())
      assert.truthy(h:file("err"):find(pattern, 1, true), h:file "err")
    end
    local h = start { wait = false, prepare = function(home) write_plugin(home, "bad", "error 'out of luck'") end }
    assert.equal(78, h:exit_code())
    assert.matches("bad/main.lua:2: out of luck", h:file "err")
  end)

  it("names what a reload cannot change", function()
    local h = start()
    assert(fs.write(h.home .. "/conf/parley.lua", "return { database_url = 'sqlite:/nowhere/else.db' }\n"))
    local code, out = h:run "reload"
    assert.equal(0, code)
    assert.matches("'database_url' has changed: it takes effect at the next start", out)
    assert.equal(200, h:say("d", "/echo x").status)
  end)

  it("lets running turns finish on SIGTERM, with readiness 503 first", function()
    local h = start { prepare = function(home)
      write_plugin(home, "slow", "p.on.command('slow', function(c) for i = 1, 1e8 do end c:reply 'done' end)",
        { limits = { cpu_ms = 5000, timeout_ms = 20000 } })
    end }
    local answer
    local t = task.spawn(function() answer = h:say("d", "/slow") end)
    serve.eventually("the turn", function() return h:status().workers[1].status.requests == 1 end)
    h:signal "TERM"
    serve.eventually("readiness 503", function()
      local r = h:request(h.ops, "GET", "/readyz")
      return not r or r.status == 503
    end)
    t:join()
    assert.equal(200, answer.status)
    assert.equal("answered", answer.body.status)
    assert.equal("done", answer.body.text)
    assert.equal(0, h:exit_code())
  end)

  it("has a killed worker back while clients wait, and takes its turns up", function()
    local h = start()
    for i = 1, 3 do
      programs.kill(h:status().workers[1].pid, "KILL")
      local r
      serve.eventually("an answer", function()
        r = h:say("d", "/echo " .. i) -- the connection may be one of the worker that is dying
        return r
      end)
      assert.equal(200, r.status)
    end
    assert.equal(3, h:status().workers[1].restarts)
  end)

  -- What is half written when a worker is lost is no order to take it up, and no reason to be away.
  local broken = {
    ["a plugin"] = function(home) assert(fs.write(home .. "/plugins/greet/main.lua", "oh no(")) end,
    ["a manifest"] = function(home) assert(fs.write(home .. "/plugins/greet/manifest.json", "{")) end,
    ["the rules"] = function(home) assert(fs.write(home .. "/conf/rules.lua", "return {")) end,
    ["the triggers"] = function(home) assert(fs.write(home .. "/conf/triggers.lua", "return { {} }")) end,
    ["the settings"] = function(home) assert(fs.write(home .. "/conf/parley.lua", "return { oh = 'no' }")) end,
    ["a file of the settings"] = function(home) assert(fs.remove(home .. "/conf/more.lua")) end,
    -- It would crash LuaJIT's compiler, and with it one worker after the other.
    ["the text of the triggers"] = function(home)
      assert(fs.write(home .. "/conf/triggers.lua", "local _\nfor _ in (nil):foo() do end"))
    end,
    ["the text of the settings"] = function(home)
      assert(fs.write(home .. "/conf/more.lua", "local _\nfor _ in (nil):foo() do end"))
    end,
  }
  for _, file in ipairs { "parley", "rules", "triggers" } do
    it("says which file crashes the compiler, at a first start: " .. file, function()
      local h = serve.start { wait = false, prepare = function(home)
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/" .. file .. ".lua", "local _\nfor _ in (nil):foo() do end"))
      end }
      assert.equal(78, h:exit_code())
      assert.matches(("conf/%s.lua:1: this source cannot be compiled safely"):format(file), h:file "err", 1, true)
    end)
  end
  for what, break_it in pairs(broken) do
    it("goes on with what has served when a worker is lost while " .. what .. " is wrong", function()
      local h = start { prepare = function(home)
        greeter(home, "hello")
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/more.lua", "return 'text_reply'"))
        assert(fs.write(home .. "/conf/parley.lua", "return { fallback_plugin = include 'more.lua' }"))
        assert(fs.write(home .. "/conf/rules.lua", "-- \239\240, in another encoding\n"
          .. "return { { match = { text = 'hi' }, route = { reply = 'by rule' } } }"))
      end }
      assert.equal("hello", h:say("d", "/greet").body.text)
      serve.eventually("it is kept", function() return fs.exists(h.home .. "/data/serving.json") end)
      break_it(h.home)
      local code, out = h:run "reload"
      assert.equal(78, code)
      assert.matches("parley: " .. h.home .. "/", out, 1, true)
      programs.kill(h:status().workers[1].pid, "KILL")
      serve.eventually("the next worker", function()
        local s = h:status()
        return s and s.workers[1].restarts == 1
      end)
      assert.equal("hello", h:say("d", "/greet").body.text)
      assert.equal("by rule", h:say("d", "hi").body.text)
      assert.matches("what has served last goes on", h:file "err", 1, true)
      assert.equal(78, (h:run "reload"))
      greeter(h.home, "mended")
      assert(fs.write(h.home .. "/conf/more.lua", "return 'text_reply'"))
      assert(fs.write(h.home .. "/conf/parley.lua", "return { fallback_plugin = include 'more.lua' }"))
      assert(fs.write(h.home .. "/conf/rules.lua", "return {}"))
      assert(fs.write(h.home .. "/conf/triggers.lua", "return {}"))
      code, out = h:run "reload"
      assert.equal(0, code, out)
      assert.equal("mended", h:say("d", "/greet").body.text)
    end)
  end

  it("stores nothing beyond the limit of a file's size, says so, and lives", function()
    local h = start()
    local pid = h:status().workers[1].pid
    local function limit(bytes) programs.run { "prlimit", "--pid", tostring(pid), "--fsize=" .. bytes } end
    limit "1:"
    local r = h:say("d", "/echo x")
    assert.equal(503, r.status, r.text)
    limit "unlimited:"
    assert.equal("x", h:say("d", "/echo x").body.text)
    assert.equal(pid, h:status().workers[1].pid)
  end)

  it("disables the plugin that has hung it, until an operator reloads", function()
    local h = start { prepare = function(home)
      write_plugin(home, "stuck", "p.on.command('stuck', function(c) while true do end end)",
        { limits = { cpu_ms = 5000, timeout_ms = 20000 } })
    end }
    local t = task.spawn(function() return h:say("d", "/stuck") end)
    local pid
    serve.eventually("the loop", function()
      local w = h:status().workers[1]
      pid = w.pid
      return w.running == "stuck"
    end)
    -- A worker that is stopped looks the same from outside as one that is stuck inside C.
    programs.kill(pid, "STOP")
    serve.eventually("a new worker", function()
      local s = h:status()
      return s and s.workers[1].pid ~= pid
    end, 20)
    t:join()
    local r = serve.eventually("an answer", function() return h:say("d", "/stuck") end)
    assert.equal("fallback", r.body.status)
    local code, out = h:run "status"
    assert.equal(0, code)
    assert.matches("stuck +1.0.0 +lua +trusted +disabled +%x+  .*it has hung the host", out)
    local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
    local row = db:first("SELECT details FROM audit_logs WHERE source = 'stuck' AND severity = 'critical'")
    db:close()
    assert.matches("has hung the host", row.details)
    assert.equal(0, (h:run "reload"))
    assert.matches("stuck +1.0.0 +lua +trusted +active", select(2, h:run "status"))
  end)
end)
