-- What crashes the compiler ends the process that compiles, and nothing else.

local arena = require "spec.sandbox.arena"
local attacks = require "spec.sandbox.attacks.compiler"
local isolate = require "host.isolate"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local programs = require "spec.support.process"
local rings = require "spec.support.rings"

local MANIFEST = [[{"schema":"v1alpha","name":"evil","version":"1.0.0","api":"1","transport":"lua"}]]

describe("text that crashes LuaJIT's compiler", function()
  local place
  setup(function() place = arena.new(isolate.new) end)

  for _, attack in ipairs(attacks) do
    it("ends the plugin's process alone: " .. attack.name, function()
      local sb = place:state(attack)
      local ok, err = sb:compile("main", attack.source, "@main.lua")
      assert.is_nil(ok)
      assert.equal("crashed", err.code)
      assert.is_true(sb:stats().broken)
      local kind, later = sb:start("main", 50, 1)
      assert.same({ "error", "disabled" }, { kind, later.code })
      sb:close()
      assert.is_nil(place:try { source = "return 1", must = { gives = { 1 } } }) -- the neighbour, and a new one
    end)

    it("is refused in every ring, by the end of a process that is thrown away: " .. attack.name, function()
      for _, ring in ipairs(rings) do
        local places = { main = { main = attack.source, lib = {} }, lib = { main = "", lib = { bad = attack.source } } }
        for slot, files in pairs(places) do
          local driver, refused = lua_driver.new(assert(manifest.check(MANIFEST)), files, { ring = ring.name })
          assert.is_nil(driver)
          assert.is_truthy(refused.message:find("this source cannot be compiled safely", 1, true), slot .. refused.message)
        end
      end
    end)

    it("would end a process of ours: " .. attack.name, function()
      local r = programs.run({ programs.EXE, "lua", "/dev/stdin" }, {
        input = ("loadstring %q"):format(attack.source), stderr = "null",
      })
      assert.is_true(r.signal == "SEGV" or (r.code or 0) ~= 0, tostring(r.code))
    end)
  end
end)
