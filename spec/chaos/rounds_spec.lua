-- What may go wrong, at random points under load, some rounds of it; tools/chaos does more of them. What
-- was acknowledged is there once, in order, with the answer that was given, and nothing hangs.

local checker = require "spec.support.checker"
local rig = require "spec.chaos.rig"
local rounds = require "spec.chaos.rounds"

describe("faults under load", function()
  local systems = {
    ["SQLite"] = { rounds = 10, proxy = true },
    ["PostgreSQL and Redis"] = { rounds = 15, proxy = true, postgres = true, redis = true },
    ["two instances of two workers"] = {
      rounds = 10, proxy = true, postgres = true, redis = true, workers = 2, instances = 2,
    },
  }
  for name, system in pairs(systems) do
    it("lose nothing acknowledged, double nothing, keep the order on " .. name, function()
      local r = rig.start(system)
      local load = r:load()
      local done = rounds.run(r, system.rounds)
      local problems = r:check()
      r:close()
      assert.same({}, checker.kinds(problems), rounds.describe(problems, done))
      for _, round in ipairs(done) do assert.is_truthy(round.all_s, "nobody was answered after " .. round.fault) end
      assert.is_true(load.turns > 200 and load.repeated > 0)
    end)
  end
end)
