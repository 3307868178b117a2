-- Reloads under load, half of them broken: nobody notices. tools/bench/reload does the same for longer.

local reloads = require "spec.support.reloads"

describe("100 reloads in 30 s while people talk, half of them broken", function()
  for _, ring in ipairs { "trusted", "isolated" } do
    it("fail no turn, make none of two versions, and leave nothing behind: " .. ring, function()
      -- First the compiler of the core comes to rest: what it makes stays.
      local r = reloads.run { reloads = 100, seconds = 30, rate = 200, ring = ring, quiet = 4 }
      assert.same({}, r.silent)
      assert.same({}, r.refused)
      assert.same({}, r.wrong)
      assert.equal(0, r.restarts)
      assert.equal(50, #r.took_ms)
      local versions = 0
      for _ in pairs(r.versions) do versions = versions + 1 end
      assert.is_true(versions >= 30, versions .. " versions have answered")
      assert.is_true(r.turns > 1000, r.turns .. " turns")
      assert.equal(1, r.generations)
      assert.is_true(r.after < r.before + 12 * 1024 * 1024, ("%d bytes, then %d"):format(r.before, r.after))
    end)
  end
end)
