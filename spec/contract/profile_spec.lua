-- What a plugin does with its time, as a worker tells it: in both rings, over states and generations
-- that come and go meanwhile.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local isolate = require "host.isolate"
local profile = require "parley.plugins.profile"

local MAIN = [[
local p = parley.plugin()
p.on.command("%s", function(c, what)
  c.kv:get "n"
  local sum = 0
  while what == "forever" do sum = sum + 1 end
  for i = 1, 300000 do sum = sum + i end
  c:reply "done"
end)
return p]]

local function samples_in(stacks, line)
  local n = 0
  for _, s in ipairs(stacks) do
    if s.line == line then n = n + s.samples end
  end
  return n
end

describe("a look at a plugin", function()
  local h
  setup(function()
    local function plugin(name)
      return {
        main = MAIN:format(name),
        manifest = { permissions = { "kv" }, limits = { cpu_ms = 200, timeout_ms = 25000 } },
      }
    end
    h = host.start {
      plugins = {
        free = plugin "free", held = plugin "held",
        far = { manifest = { transport = "rest", endpoint = "http://127.0.0.1:1" } },
      },
      config = [[return {
        turn_timeout_seconds = 60,
        plugins = {
          held = { ring = "isolated" },
          far = { allow_private = true, signing_secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz" },
        },
      }]],
    }
  end)
  teardown(function()
    h:stop()
    isolate.keep(0)
  end)

  local function plugin_of(name) return h.core.manager.current.chooser.by_name[name] end

  -- Whether it is sampled now, not only asked for.
  local function begin(name, memory)
    local look = assert(profile.begin(h.core, name, memory))
    eventually("it is looked at", function() return plugin_of(name).driver.profiling end)
    return look
  end

  for _, name in ipairs { "free", "held" } do
    it("has its events, its waits and its samples: " .. name, function()
      local look = begin(name)
      for i = 1, 3 do assert.equal("done", h:say("d" .. i, "/" .. name).body.text) end
      local r = look:stop()
      assert.equal(3, r.events)
      assert.equal(3, r.waits["kv.get"].calls)
      assert.equal("on.command " .. name, r.names["main.lua:2"])
      assert.is_true(samples_in(r.stacks, 6) > 0)
      assert.is_nil(plugin_of(name).profile)
      assert.is_nil(plugin_of(name).driver.profiling)
      look = begin(name)
      assert.same({ 0, 0 }, { #look:stop().stacks, r.stacks[1].bytes })
    end)

    it("has what a call did that was stopped by force: " .. name, function()
      local look = begin(name)
      assert.equal("fallback", h:say("d", "/" .. name .. " forever").body.status)
      assert.equal("done", h:say("d", "/" .. name).body.text) -- in a new state
      local r = look:stop()
      assert.equal(2, r.events)
      assert.is_true(samples_in(r.stacks, 5) > 0 and samples_in(r.stacks, 6) > 0)
    end)

    it("goes on with the next generation: " .. name, function()
      local look, before = begin(name, true), plugin_of(name)
      h:say("d", "/" .. name)
      h:write_plugin(name, {
        main = "-- newer\n" .. MAIN:format(name), manifest = { permissions = { "kv" } },
      })
      assert(h.core:reload())
      assert.is_true(plugin_of(name) ~= before)
      eventually("it is looked at", function() return plugin_of(name).driver.profiling end)
      assert.is_nil(before.driver.profiling)
      h:say("d", "/" .. name)
      local r = look:stop()
      assert.equal(2, r.events)
      assert.is_true(samples_in(r.stacks, 7) > 0)
    end)
  end

  it("is refused for what cannot be looked at here, and while there is one", function()
    local _, err = profile.begin(h.core, "far")
    assert.equal("not_supported", err.code)
    assert.matches("'far' is a REST plugin: its code runs somewhere else, and is profiled there", err.message)
    _, err = profile.begin(h.core, "nobody")
    assert.equal("plugin_not_found", err.code)
    local look = begin "free"
    _, err = profile.begin(h.core, "free")
    assert.equal("busy", err.code)
    look:stop()
    begin("free"):stop()
  end)
end)
