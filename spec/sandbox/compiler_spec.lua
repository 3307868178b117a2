-- What crashes the compiler ends the process that compiles, and nothing else.

local arena = require "spec.sandbox.arena"
local attacks = require "spec.sandbox.attacks.compiler"
local isolate = require "host.isolate"
local programs = require "spec.support.process"

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

    it("would end a process of ours: " .. attack.name, function()
      local r = programs.run({ programs.EXE, "lua", "/dev/stdin" }, {
        input = ("loadstring %q"):format(attack.source), stderr = "null",
      })
      assert.is_true(r.signal == "SEGV" or (r.code or 0) ~= 0, tostring(r.code))
    end)
  end
end)
