-- Plugins against the SDK, through the driver that the platform calls them by.

local attacks = require "spec.sandbox.attacks.sdk"
local arena = require "spec.sandbox.arena"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local rings = require "spec.support.rings"

local MANIFEST = [[{"schema":"v1alpha","name":"evil","version":"1.0.0","api":"1","transport":"lua",
  "limits":{"memory_mb":2,"cpu_ms":%d}}]]

local function load_plugin(attack, ring)
  local quick = attack.must.fails == "cpu_limit" or attack.first == "cpu_limit"
  local m = assert(manifest.check(MANIFEST:format(quick and 20 or 2000)))
  local main = attack.main
    or "local p = parley.plugin() p.on.any(function(c)\n" .. attack.handler .. "\nend) return p"
  return lua_driver.new(m, { main = main, lib = {} }, { ring = ring })
end

local function request(attack, n)
  local message = { text = attack.texts and attack.texts[n] or attack.text or "hello" }
  local last = n == (attack.events or 1)
  return {
    event = last and attack.job and { type = "job", job = attack.job } or { type = "message", message = message },
    dialog = { id = "d" .. n, state = {}, locale = "en" }, user = { id = "u" .. n, locale = "en" },
    config = {}, trace_id = ("%032d"):format(n),
  }
end

local function serve(name) return nil, { code = "permission", op = name, message = "not here", retryable = false } end

for _, ring in ipairs(rings) do
  describe("in the " .. ring.name .. " ring, an attack on the SDK", function()
    for _, attack in ipairs(attacks) do
      it(attack.name, function()
        local must = attack.must
        local driver, refused = load_plugin(attack, ring.name)
        if must.refused then
          assert.is_nil(driver)
          assert.is_truthy(refused.message:find(must.refused, 1, true), refused.message)
          return
        end
        assert(driver, refused and refused.message)
        local answer, err
        for n = 1, attack.events or 1 do
          answer, err = driver:invoke(request(attack, n), serve)
          if attack.first and n == 1 then assert.equal(attack.first, err and err.code) end
        end
        assert.is_nil(arena.leak { answer or {}, err or {} })
        if must.answers then
          assert.is_nil(err and err.message)
          assert.equal(arena.show(must.answers), arena.show(answer))
        else
          assert.equal(must.fails, err and err.code, err and err.message)
          assert.is_truthy(not must.says or err.message:find(must.says, 1, true), err.message)
        end
        driver:close()
      end)
    end
  end)
end
