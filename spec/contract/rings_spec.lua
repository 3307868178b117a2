local config = require "parley.config"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local generation = require "parley.plugins.generation"
local host = require "spec.support.host"
local isolate = require "host.isolate"
local json = require "host.json"
local support = require "spec.support.process"
local task = require "host.task"

local MAIN = [[
  local p = parley.plugin()
  local n = 0
  p.on.command("%s", function(c, text)
    n = n + 1
    if text == "loop" then while true do end end
    if text == "kv" then c.kv:set("k", n) return c:reply("kv " .. c.kv:get "k") end
    c:reply(n .. " " .. text)
  end)
  return p]]

-- Earlier hosts of this process count in the budget of states, too.
local CONFIG = "return { plugins_memory_mb = 1000, plugins = { held = { ring = 'isolated' } } }"

local function plugin(name, more)
  return { manifest = more, main = MAIN:format(name) }
end

local function plugin_of(h, name) return h.core.manager.current.chooser.by_name[name] end

describe("the ring of a plugin", function()
  local h
  after_each(function()
    if h then h:stop() end
    h = nil
    isolate.keep(0)
  end)

  it("is the operator's choice, and the plugin works the same in both", function()
    h = host.start {
      plugins = {
        free = plugin("free", { permissions = json.array { "kv" } }),
        held = plugin("held", { permissions = json.array { "kv" } }),
      },
      config = CONFIG,
    }
    assert.equal("trusted", plugin_of(h, "free").ring)
    assert.equal("isolated", plugin_of(h, "held").ring)
    for _, name in ipairs { "free", "held" } do
      assert.equal("1 a", h:say(name, "/" .. name .. " a").body.text)
      assert.equal("2 b", h:say(name, "/" .. name .. " b").body.text)
      assert.equal("kv 3", h:say(name, "/" .. name .. " kv").body.text)
    end
    local stats = plugin_of(h, "held").driver:stats()
    assert.is_true(support.alive(stats.pid))
    assert.is_nil(plugin_of(h, "free").driver:stats().pid)
    assert.is_true(stats.memory > 0 and stats.memory < stats.limit)
  end)

  it("can be one for all", function()
    h = host.start {
      plugins = { free = plugin "free", held = plugin "held" },
      config = "return { plugins_memory_mb = 1000, plugin_ring = 'isolated', plugins = { free = { ring = 'trusted' } } }",
    }
    assert.equal("trusted", plugin_of(h, "free").ring)
    assert.equal("isolated", plugin_of(h, "held").ring)
    assert.equal("isolated", plugin_of(h, "text_reply").ring)
  end)

  it("is that of its origin: the operator's own folders are trusted, bundles are not", function()
    h = host.start { plugins = { held = plugin "held" }, config = "return { plugins_memory_mb = 1000 }" }
    local b = plugin_of(h, "held").bundle
    h.core.served:record()
    local function reload_from(origin)
      assert(h.core.manager:reload(h.core.config, {
        edit = function(given) given.pins.held = { hash = b.hash, origin = origin } end,
      }))
    end
    reload_from "home"
    assert.equal("trusted", plugin_of(h, "held").ring)
    reload_from "bundle"
    assert.equal("isolated", plugin_of(h, "held").ring)
    assert.equal("1 x", h:say("d", "/held x").body.text)
  end)

  it("takes nothing but the names of rings, and not from a REST plugin", function()
    local home = host.temp_dir()
    assert(fs.mkdir(home .. "/conf"))
    for ring, problem in pairs {
      isolatd = "plugins.text_reply.ring: expected one of trusted, isolated, got 'isolatd'. Did you mean 'isolated'?",
      none = "plugins.text_reply.ring: expected one of trusted, isolated, got 'none'.",
    } do
      assert(fs.write(home .. "/conf/parley.lua",
        ("return { plugins = { text_reply = { ring = '%s' } } }"):format(ring)))
      local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
      assert.is_nil(g)
      assert.is_truthy(err.message:find(problem, 1, true), err.message)
    end
  end)

  it("cannot be named by a manifest", function()
    local home = host.temp_dir()
    local dir = home .. "/plugins/bold"
    assert(fs.mkdir(dir))
    for _, schema in ipairs { "v1alpha", "v1beta" } do
      local transport = schema == "v1beta" and { type = "lua" } or "lua"
      assert(fs.write(dir .. "/manifest.json", json.encode {
        schema = schema, name = "bold", version = "1.0.0", api = "1", transport = transport, ring = "trusted",
      }))
      assert(fs.write(dir .. "/main.lua", "return parley.plugin()"))
      local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
      assert.is_nil(g)
      assert.matches("bold/manifest.json:%d+: ring: a plugin does not choose its ring: plugins.NAME.ring", err.message)
    end
  end)
end)

describe("an isolated plugin", function()
  local h
  after_each(function()
    h:stop()
    isolate.keep(0)
  end)

  local function start()
    h = host.start {
      plugins = { held = plugin("held", { limits = { cpu_ms = 20 } }) },
      config = CONFIG,
    }
  end

  it("is shown to operators with its process, to others with its ring only", function()
    start()
    local pid = plugin_of(h, "held").driver:stats().pid
    local function entry(kind, scope)
      local r = h:request("GET", "/api/v1/plugins", nil, {
        token = false, headers = { Authorization = "Bearer " .. h:make_token({ scope }, kind) },
      })
      for _, e in ipairs(r.body.plugins) do
        if e.name == "held" then return e end
      end
    end
    local for_plugins, for_admins = entry("plg", "plugins:read"), entry("adm", "admin")
    assert.same({ "isolated" }, { for_plugins.ring, for_plugins.process })
    assert.equal("isolated", for_admins.ring)
    assert.equal(pid, for_admins.process.pid)
    assert.equal(16 * 1024 * 1024, for_admins.process.limit_bytes)
    local said = require("parley.ops.status").of(h.core)
    for _, p in ipairs(said.plugins) do
      assert.equal(p.name == "held" and pid or nil, p.process and p.process.pid)
    end
    assert.is_true(said.isolation.processes >= 1)
    assert.equal(isolate.stats().landlock > 0, said.isolation.landlock)
    assert.is_nil(said.isolation.problem)
  end)

  it("is named by parley check", function()
    start()
    local r = support.run { support.EXE, "check", "--home", h.home }
    assert.equal(0, r.code, r.err)
    assert.matches("\nisolated: held\n", r.out)
  end)

  it("costs its own turn when its process is killed, and is back before the next", function()
    start()
    local driver = plugin_of(h, "held").driver
    local pid = driver:stats().pid
    support.kill(pid, "KILL")
    support.eventually("the host has seen it", function() return driver:stats().broken end)
    assert.equal("1 a", h:say("d", "/held a").body.text)
    assert.not_equal(pid, driver:stats().pid)
  end)

  it("is disabled when its process has crashed at three events in a row, and its operator is told", function()
    h = host.start { plugins = { held = plugin("held", { limits = { cpu_ms = 5000, timeout_ms = 20000 } }) }, config = CONFIG }
    local driver = plugin_of(h, "held").driver
    -- CPU time of a process, in hundredths of a second.
    local function ticks(pid)
      return tonumber((fs.read("/proc/" .. pid .. "/stat") or ""):match("%) %a" .. (" %S+"):rep(10) .. " (%d+)")) or 0
    end
    local function crash(dialog)
      local pid = eventually("a process", function()
        local stats = driver:stats()
        return stats.pid and not stats.broken and stats.pid
      end)
      local before = ticks(pid)
      local said = task.spawn(function() return h:say(dialog, "/held loop").body.status end)
      eventually("the loop", function() return ticks(pid) > before + 3 end)
      support.kill(pid, "KILL")
      assert.same({ true, "fallback" }, { said:join(30) })
    end
    local function failures()
      local out = {}
      local rows = h.core.db:query "SELECT severity, details FROM audit_logs WHERE action = 'plugin_failed' ORDER BY id"
      for _, row in ipairs(rows) do
        out[#out + 1] = row.severity .. " " .. json.decode(row.details).code
      end
      return table.concat(out, ", ")
    end
    crash "d"
    crash "d"
    assert.equal("1 a", h:say("d", "/held a").body.text)
    crash "d"
    crash "d"
    assert.equal("error exception, error exception, error exception, error exception", failures())
    assert.equal("active", plugin_of(h, "held").state)
    crash "d"
    assert.matches("error exception, critical crash$", failures())
    eventually("the end of the plugin", function() return plugin_of(h, "held").state == "disabled" end)
    eventually("the operator is told", function()
      return h.core.db:first "SELECT 1 AS n FROM audit_logs WHERE source = 'trigger:TR-004'"
    end)
    assert.equal("fallback", h:say("d", "/held a").body.status)
  end)

  it("is replaced at once when it was stopped by force", function()
    start()
    local driver = plugin_of(h, "held").driver
    local pid = driver:stats().pid
    assert.equal("text_reply", h:say("d", "/held loop").body.plugin.name)
    support.eventually("another process", function()
      local stats = driver:stats()
      return stats.pid ~= pid and not stats.broken
    end)
    support.eventually("the first one is gone", function() return not support.alive(pid) end)
    assert.equal("1 a", h:say("d", "/held a").body.text)
  end)

  it("keeps a spare while there is one, and not longer", function()
    start()
    support.eventually("a spare", function() return isolate.stats().spares == 1 end)
    local pid = plugin_of(h, "held").driver:stats().pid
    assert(fs.write(h.home .. "/conf/parley.lua", "return { plugins_memory_mb = 1000 }"))
    assert(h.core:reload())
    support.eventually("no spare", function() return isolate.stats().spares == 0 end)
    support.eventually("the process has ended", function() return not support.alive(pid) end)
  end)
end)

describe("source", function()
  it("is compiled first in a process that is thrown away, once for each text", function()
    local home = host.temp_dir()
    local dir = home .. "/plugins/fresh"
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "fresh", version = "1.0.0", api = "1", transport = "lua",
    }))
    local function build(text)
      assert(fs.write(dir .. "/main.lua", text))
      local before = isolate.stats().started
      local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
      if g then g:close() end
      return isolate.stats().started - before, err
    end
    local text = "local p = parley.plugin() -- " .. home .. "\nreturn p"
    build(text)
    assert.equal(0, (build(text)))
    assert.equal(1, (build(text .. " -- changed")))
    local processes, err = build "local = 1"
    assert.equal(1, processes)
    assert.matches("/plugins/fresh/main.lua:1: '<name>' expected", err.message)
  end)

  for _, ring in ipairs { "trusted", "isolated" } do
    it("that crashes LuaJIT's compiler is refused with its file, in the ring " .. ring, function()
      local crash = require("spec.sandbox.attacks.compiler")[1].source
      local h = host.start {
        plugins = { good = plugin "good" },
        config = ("return { plugins_memory_mb = 1000, plugin_ring = '%s' }"):format(ring),
      }
      local before = isolate.stats().ended.crashed
      h:write_plugin("bad", { main = crash .. "\nlocal p = parley.plugin() return p" })
      local ok, err = h.core:reload()
      assert.is_nil(ok)
      assert.matches("/plugins/bad/main%.lua:1: this source cannot be compiled safely, LuaJIT itself fails on it: "
        .. "the plugin's process was ended by signal %d+", err.message)
      assert.equal(before + 1, isolate.stats().ended.crashed)
      assert.equal("1 a", h:say("d", "/good a").body.text)
      h:stop()
      isolate.keep(0)
    end)
  end

  it("of rules that crashes LuaJIT's compiler is refused, too", function()
    local rules = require "parley.rules"
    local r, err = rules.new(require("spec.sandbox.attacks.compiler")[3].source, "/etc/rules.lua")
    assert.is_nil(r)
    assert.equal("rules", err.code)
    assert.matches("^/etc/rules.lua:1: this source cannot be compiled safely", err.message)
  end)
end)
