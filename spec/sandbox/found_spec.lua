-- What the fuzzers have found in the sandbox, as small as it got.

local fs = require "host.fs"
local rings = require "spec.support.rings"

local prelude = assert(fs.read "lua/parley/engine/sandbox.lua")

for _, ring in ipairs(rings) do
  local function new(memory)
    return assert(ring.new { name = "t", memory = memory or 1024 * 1024, prelude = prelude })
  end

  local function start(sb, source, ...)
    assert(sb:compile("main", source, "=main"))
    return sb:start("main", 1000, 5, ...)
  end

  describe("what fuzzers have found, in the " .. ring.name .. " ring:", function()
    it("a size that no state could hold is a memory error like any other", function()
      local sb = new()
      local kind, err = start(sb, "return ('xyz'):rep(2 ^ 30)")
      assert.equal("error", kind)
      assert.equal("memory_limit", err.code)
      assert.is_true(sb:stats().broken)
    end)

    it("a number raised with the last bytes has a text that needs more than there is", function()
      local limit, seen = 256 * 1024, {}
      for bytes = 0, 8192, 24 do
        local sb = new(limit)
        local left = limit - sb:stats().memory
        local _, err = start(sb, ([[
          local n, bytes = ...
          local a, t = ("x"):rep(8192), { %s }
          for i = 1, n do t[i] = a .. i end
          local s = a:sub(1, bytes)
          error(0.123456, 0)
        ]]):format(("0,"):rep(40)), math.floor(left / 8200 - 1.5), bytes)
        seen[err.code] = err.message
        sb:close()
      end
      assert.same({ exception = "0.123456", memory_limit = "not enough memory" }, seen)
    end)
  end)
end
