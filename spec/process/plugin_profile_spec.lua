-- parley plugin profile, beside a host with a plugin in each ring that has something to do.

local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local task = require "host.task"

local BUSY = [[
local p = parley.plugin()

local function price(n)
  local sum = 0
  for i = 1, n do sum = sum + i %% 7 end
  return sum
end

local function list(n)
  local out = {}
  for i = 1, n do out[i] = { i } end
  return out
end

p.on.command("%s", function(c)
  local n, l = price(200000), list(2000)
  c.kv:set("n", n)
  c:reply("ok " .. #l)
end)

return p
]]

describe("parley plugin profile", function()
  local h
  setup(function()
    h = serve.start {
      prepare = function(home)
        for _, name in ipairs { "free", "held" } do
          host.write_plugin({ home = home }, name, {
            main = BUSY:format(name), manifest = { permissions = { "kv" }, limits = { cpu_ms = 1000 } },
          })
        end
        host.write_plugin({ home = home }, "far", {
          manifest = { transport = "rest", endpoint = "http://127.0.0.1:1" },
        })
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/parley.lua", [[return {
          plugins = { held = { ring = "isolated" }, far = {
            allow_private = true, signing_secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz" } },
          rate_limits = { user = { requests = 1e6, seconds = 1 }, plugin = { requests = 1e6, seconds = 1 } },
        }]]))
      end,
    }
  end)
  teardown(function() h:close() end)

  -- Somebody talks to a plugin while it is looked at.
  local function profile(name, arguments)
    local stopped = false
    local talking = task.spawn(function()
      while not stopped do h:say("d", "/" .. name) end
    end)
    local code, out = h:run(("plugin profile %s %s"):format(name, arguments))
    stopped = true
    talking:join()
    assert.equal(0, code, out)
    return out
  end

  local function by_place(functions)
    local out = {}
    for _, f in ipairs(functions) do out[f.at] = f end
    return out
  end

  for _, name in ipairs { "free", "held" } do
    it("shows the functions of a plugin, and what it waits for: " .. name, function()
      local file = h.home .. "/" .. name .. ".stacks"
      local r = assert(json.decode(profile(name, "--seconds 1 --memory -o json --out " .. file)))
      assert.is_true(r.events > 0 and r.samples > 0 and r.event_seconds > 0)
      local f = by_place(r.functions)
      local price, list, handler = f["main.lua:3"], f["main.lua:9"], f["main.lua:15"]
      assert.same({ "price", "list", "on.command " .. name }, { price.name, list.name, handler.name })
      assert.equal(5, price.line)
      assert.is_true(price.self_us > list.self_us and handler.total_us >= price.self_us, json.encode(r.functions))
      assert.is_true(list.self_bytes > 0.8 * r.bytes, json.encode(r.functions))
      assert.equal("kv.set", r.waits[1].name)
      -- The first and the last event may be seen in part.
      assert.is_true(math.abs(r.waits[1].calls - r.events) <= 1 and r.waits[1].seconds > 0)
      local stacks = assert(fs.read(file))
      assert.matches("\non.command " .. name .. " %(main.lua:15%);price %(main.lua:3%) %d+\n", "\n" .. stacks)
      assert.matches(";list %(main.lua:9%) %d+\n", assert(fs.read(file .. ".memory")))
    end)
  end

  it("is a table for a person", function()
    local out = profile("free", "--seconds 1")
    assert.matches("^free: %d+ events in 1 s, [%d.]+ ms each from end to end; [%d.]+ m?s of CPU in %d+ samples\n", out)
    assert.matches("\nSELF +TOTAL +WHERE +FUNCTION\n", out)
    assert.matches("\n[%d.]+ m?s +%d+ %% +[%d.]+ m?s +%d+ %% +main.lua:3 +price +mostly line 5\n", out)
    assert.matches("\nWAITED FOR +CALLS +TOTAL +EACH\nkv.set +%d+ +[%d.]+ m?s +[%d.]+ m?s\n", out)
    assert.is_nil(out:find("ALLOCATED", 1, true))
  end)

  it("says when nothing has come, and what it cannot look at", function()
    local code, out = h:run "plugin profile faq --seconds 1"
    assert.equal(0, code)
    assert.matches("nothing has reached the plugin meanwhile: say something to it", out)
    code, out = h:run "plugin profile far --seconds 1"
    assert.equal(1, code)
    assert.matches("'far' is a REST plugin: its code runs somewhere else, and is profiled there", out)
    assert.same({ 1, "parley: no plugin 'nope'\n" }, { h:run "plugin profile nope --seconds 1" })
    code, out = h:run "plugin profile free --seconds 1 --out /nowhere/at/all"
    assert.equal(74, code)
    assert.matches("/nowhere/at/all", out)
    local r = programs.parley({ "plugin", "profile", "free", "--home", "/nowhere" }, { stderr = "stdout" })
    assert.equal(69, r.code)
  end)

  it("leaves nothing behind", function()
    profile("held", "--seconds 1")
    h:say("d", "/held x")
    local code, out = h:run "plugin profile held --seconds 1 -o json"
    assert.equal(0, code)
    assert.equal(0, assert(json.decode(out:match "^[^\n]+")).samples)
  end)
end)
