-- What a reload asks of the next generation before it serves, what it says of what is wrong, and who keeps the one
-- before alive.

local fs = require "host.fs"
local host = require "spec.support.host"
local problems = require "parley.plugins.problems"
local process = require "spec.support.process"
local sandbox = require "host.sandbox"
local task = require "host.task"
local time = require "host.time"

local function greet(word, more)
  return { main = ([[
    local p = parley.plugin()
    p.on.command('greet', function(c) c:reply '%s' end)
    %s
    return p
  ]]):format(word, more or "") }
end

describe("a self check", function()
  local h
  before_each(function() h = host.start { plugins = { greet = greet "old" } } end)
  after_each(function() h:stop() end)

  -- What becomes of a version of the plugin with this in it.
  local function try(more)
    h:write_plugin("greet", greet("new", more))
    local before = h.core.manager.current
    local ok, err = h.core:reload()
    assert.equal(ok == nil, before == h.core.manager.current)
    assert.equal(ok and "new" or nil, ok and h:say("d", "/greet").body.text)
    return ok, err and err.message
  end

  it("that is well lets the version serve, with the operator's settings and the log at hand", function()
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/parley.lua", "return { plugins = { greet = { word = 'x' } } }"))
    assert(try [[p.self_check(function(check)
      assert(check.config.word == 'x')
      assert(check.log:debug 'checked')
    end)]])
  end)

  it("that fails keeps the version before, and names the line and the reason", function()
    local dir = h.home .. "/plugins/greet/main.lua"
    for code, message in pairs {
      ["error 'no prices'"] = ":4: the self check failed: no prices",
      ["assert(false, 'no prices')"] = ":4: the self check failed: no prices",
      ["local x = nil + 1"] = ":4: the self check failed: attempt to perform arithmetic on a nil value",
      ["error { code = 'x', message = 'no prices' }"] = ":3: the self check failed: no prices",
      ["while true do end"] = "CPU",
      ["local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"] = "memory",
    } do
      local ok, err = try("p.self_check(function()\n" .. code .. " end)")
      assert.is_nil(ok, code)
      assert.truthy(err:find(message, 1, true), code .. ": " .. err)
      if message:find "^:" then assert.equal(dir .. message, err:sub(1, #dir + #message)) end
    end
  end)

  it("has no door: what it tries outside fails, and can be looked at", function()
    assert(try [[p.self_check(function()
      local id, err = parley.json.decode '{}'
      assert(id == nil and err.code == 'permission', 'the door is open')
    end)]])
    assert.is_nil((try "p.self_check(function() assert(parley.json.encode {}) end)"))
    assert.equal("new", h:say("d", "/greet").body.text) -- the version that was well before
  end)

  it("is declared once, and is a function", function()
    local _, err = try "p.self_check(function() end)\np.self_check(function() end)"
    assert.matches("main.lua:4: self_check is called twice", err)
    _, err = try "p.self_check 'yes'"
    assert.matches("main.lua:3: self_check: a function expected", err)
  end)

end)

describe("a state that was stopped by force", function()
  it("is replaced once, however many events come meanwhile", function()
    local h = host.start { plugins = { greet = {
      manifest = { commands = { { name = "greet" }, { name = "burst" } } },
      main = [[
        for i = 1, 3e6 do local x = i % 7 end -- so that loading it waits
        local p = parley.plugin()
        p.on.command('greet', function(c) c:reply 'here' end)
        p.on.command('burst', function() while true do end end)
        return p
      ]],
    } } }
    h:say("d", "/burst")
    local new, made = sandbox.new, 0
    sandbox.new = function(...)
      made = made + 1
      return new(...)
    end
    finally(function() sandbox.new = new end)
    local tasks = {}
    for i = 1, 5 do tasks[i] = task.spawn(function() return h:say("d" .. i, "/greet").body.text end) end
    for _, t in ipairs(tasks) do assert.equal("here", select(2, t:join(60))) end
    assert.equal(1, made)
    h:stop()
  end)
end)

describe("a reload that is refused", function()
  it("says all that is wrong, each with its file and line", function()
    local home = host.temp_dir() .. "/whose-path-is-longer-than-what-Lua-shows-of-a-name"
    assert(fs.mkdir(home))
    local h = host.start { home = home, plugins = { greet = greet "old", more = greet "more" } }
    h:write_plugin("greet", greet("new", "oh no("))
    h:write_plugin("more", { manifest = { version = 1 }, main = "return 1" })
    h:write_plugin("third", { main = "local p = parley.plugin()\np.on.comand('x', function() end)" })
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/rules.lua", "return {\n  oops\n"))
    assert(fs.write(h.home .. "/conf/triggers.lua", "return {\n  { id = 'TR-1', evnt = 'x' },\n}\n"))
    local ok, err = h.core:reload()
    assert.is_nil(ok)
    local found = {}
    for i, p in ipairs(problems.parse(err.message)) do
      found[i] = ("%s:%d"):format((p.file or "?"):sub(#h.home + 2), p.line or 0)
    end
    assert.same({
      "plugins/greet/main.lua:3", "plugins/more/manifest.json:1", "plugins/third/main.lua:2", "conf/rules.lua:3",
      "conf/triggers.lua:2",
    }, found, err.message)
    h:stop()
  end)
end)

describe("a generation that was replaced", function()
  it("is shown with what holds it, and goes with its last turn", function()
    -- Until the clock of the spec says so.
    local slow = [[p.on.command('slow', function(c)
      local over = parley.now() + 1000
      while parley.now() < over do end
      c:reply 'old'
    end)]]
    local h = host.start { plugins = { slow = {
      manifest = { version = "1.0.0", limits = { cpu_ms = 5000 } }, main = "local p = parley.plugin()\n" .. slow .. "\nreturn p",
    } } }
    local turn = task.spawn(function() return h:say("g", "/slow").body.text end)
    process.eventually("the turn runs", function()
      local held = next(h.core.manager.current.holders)
      return held and held.asks == "slow"
    end)
    h:write_plugin("slow", { manifest = { version = "2.0.0" }, main = "local p = parley.plugin()\nreturn p" })
    assert(h.core:reload())
    local shown = h.core:status().generations
    assert.equal(2, #shown)
    assert.same({ true, 0 }, { shown[1].current, shown[1].turns })
    local old = shown[2]
    assert.same({ false, 1, "g", "slow" }, { old.current, old.turns, old.held_by[1].dialog_id, old.held_by[1].plugin })
    assert.same({ "slow", "1.0.0" }, { old.own_plugins[1].name, old.own_plugins[1].version })
    assert.is_string(old.replaced)
    assert.is_number(old.held_by[1].seconds)
    time.advance(1001)
    local _, text = turn:join()
    assert.equal("old", text)
    process.eventually("it goes", function() return #h.core:status().generations == 1 end)
    assert.is_nil(next(h.core.manager.current.holders))
    h:stop()
  end)
end)
