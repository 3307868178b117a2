-- What may go wrong, at random points under load, ten rounds or each kind once; tools/chaos does more of them. What
-- was acknowledged is there once, in order, with the answer that was given, and nothing hangs.

local checker = require "spec.support.checker"
local rig = require "spec.chaos.rig"
local rounds = require "spec.chaos.rounds"

local ROUNDS = 10

describe("faults under load", function()
  local systems = {
    ["SQLite"] = { proxy = true },
    ["PostgreSQL and Redis"] = { proxy = true, postgres = true, redis = true },
  }
  for name, system in pairs(systems) do
    it("lose nothing acknowledged, double nothing, keep the order on " .. name, function()
      local r = rig.start(system)
      local load = r:load()
      local done = rounds.run(r, math.max(ROUNDS, #rounds.possible(r)))
      local problems = r:check()
      r:close()
      assert.same({}, checker.kinds(problems), checker.describe(problems))
      for _, round in ipairs(done) do assert.is_truthy(round.all_s, "nobody was answered after " .. round.fault) end
      assert.is_true(load.turns > 200 and load.repeated > 0)
    end)
  end
end)
