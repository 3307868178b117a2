local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local task = require "host.task"
local check_error = require("parley.schema.compile").compile(require("parley.schema.errors").PluginErrorV1)

local function plugin(main, manifest) return { main = "local p = parley.plugin()\n" .. main, manifest = manifest } end

describe("a plugin that misbehaves", function()
  local h
  setup(function()
    h = host.start { plugins = {
      loop = plugin "p.on.command('loop', function() while true do end end)",
      eater = plugin("p.on.command('eater', function() local t = {} while true do t[#t + 1] = #t .. ('x'):rep(1e3) end end)",
        { limits = { memory_mb = 2, cpu_ms = 5000 } }),
      deep = plugin "local function f() return 1 + f() end p.on.command('deep', function() f() end)",
      thrower = plugin "p.on.command('thrower', function() error({ odd = true }) end)",
      liar = plugin "p.on.command('liar', function(c) c._actions[1] = { type = 'send', text = 'x', bad = 5 } end)",
      huge = plugin("p.on.command('huge', function(c) c:emit('x', { x = ('x'):rep(300000) }) end)"),
      stranger = plugin [[p.on.command('stranger', function(c)
        local v, err = c.kv:get("x") c:reply(err.code .. " " .. err.message) end)]],
      typo = plugin "p.on.command('typo', function(c)\n  c:replay 'x'\nend)",
      sleeper = plugin("p.on.command('sleeper', function(c) for i = 1, 1e8 do local x = i end c:reply 'x' end)",
        { limits = { cpu_ms = 5000, timeout_ms = 25000 } }),
    } }
  end)
  teardown(function() h:stop() end)

  for name, code in pairs {
    loop = "cpu_limit", eater = "memory_limit", deep = "exception", thrower = "exception", liar = "invalid_response",
    huge = "too_large", typo = "exception",
  } do
    it("(" .. name .. ") is a typed error, and the fallback answers", function()
      for _ = 1, 2 do -- the second time in a state that was replaced
        local r = h:say("bad-" .. name, "/" .. name)
        assert.equal(200, r.status)
        assert.equal("fallback", r.body.status)
        assert.equal("text_reply", r.body.plugin.name)
      end
      local calls = h.core.db:query("SELECT status, error_code FROM plugin_calls WHERE plugin_id = $1", name)
      assert.same({ { status = "failed", error_code = code }, { status = "failed", error_code = code } }, calls)
      local audit = h.core.db:first(
        "SELECT severity, details FROM audit_logs WHERE source = $1 AND action = 'plugin_failed'", name)
      assert.equal("error", audit.severity)
      assert.is_nil(check_error(json.decode(audit.details)))
      if name == "typo" then assert.matches("typo/main.lua:3: attempt to call", audit.details) end
    end)
  end

  it("is left alone for a while when it costs too much, not when it is only wrong", function()
    local own = host.start { plugins = {
      loop = plugin("p.on.command('loop', function() while true do end end)", { limits = { cpu_ms = 2 } }),
      thrower = plugin "p.on.command('thrower', function() error 'x' end)",
    } }
    for _ = 1, 11 do
      own:say("d", "/loop")
      own:say("d", "/thrower")
    end
    local function last(name)
      return own.core.db:first("SELECT error_code, attempt FROM plugin_calls WHERE plugin_id = $1 "
        .. "ORDER BY id DESC LIMIT 1", name)
    end
    assert.same({ error_code = "circuit_open", attempt = 0 }, last "loop")
    assert.same({ error_code = "exception", attempt = 1 }, last "thrower")
    own:stop()
  end)

  it("is told which permission it lacks", function()
    local r = h:say("perm", "/stranger")
    assert.equal("permission 'kv.get' needs the permission 'kv': add it to \"permissions\" in manifest.json",
      r.body.text)
  end)

  it("does not hold up other dialogs", function()
    local slow = task.spawn(function() return h:say("slow", "/sleeper") end)
    local order = {}
    local watch = task.spawn(function() slow:join() order[#order + 1] = "slow" end)
    for _ = 1, 3 do
      assert.equal("answered", h:say("quick", "/echo x").body.status)
      order[#order + 1] = "quick"
    end
    watch:join()
    assert.equal("slow", order[#order])
  end)
end)

describe("reload", function()
  it("swaps the whole generation, or nothing", function()
    local h = host.start { plugins = { greet = plugin "p.on.command('greet', function(c) c:reply 'one' end)" } }
    assert.equal("one", h:say("g", "/greet").body.text)
    h:write_plugin("greet", plugin "p.on.command('greet', function(c) c:reply 'two' end)")
    assert(h.core:reload())
    assert.equal("two", h:say("g", "/greet").body.text)

    h:write_plugin("greet", plugin "p.on.command('greet', function(c) c:reply('three' end)")
    local ok, err = h.core:reload()
    assert.is_nil(ok)
    assert.matches("plugins/greet/main.lua:2: ", err.message)
    assert.equal("two", h:say("g", "/greet").body.text)

    assert(fs.write(h.home .. "/plugins/greet/manifest.json", "{"))
    ok, err = h.core:reload()
    assert.is_nil(ok)
    assert.matches("greet/manifest.json:1: line 1, column 2", err.message)
    assert.equal("two", h:say("g", "/greet").body.text)
    h:stop()
  end)

  it("lets a running turn finish on the generation that it began with", function()
    local slow = "p.on.command('greet', function(c) for i = 1, 3e6 do local x = i % 7 end c:reply '%s' end)"
    local h = host.start { plugins = { greet = plugin(slow:gsub("%%s", "old"), { limits = { cpu_ms = 5000 } }) } }
    local answer
    local turn = task.spawn(function() answer = h:say("g", "/greet").body.text end)
    while h.core.manager.current.refs == 0 do task.sleep(0.001) end
    h:write_plugin("greet", plugin "p.on.command('greet', function(c) c:reply 'new' end)")
    assert(h.core:reload())
    assert.equal("new", h:say("other", "/greet").body.text)
    assert(turn:join())
    assert.equal("old", answer)
    local alive = 0
    for _ in pairs(h.core.manager.alive) do alive = alive + 1 end
    assert.equal(1, alive)
    h:stop()
  end)
end)
