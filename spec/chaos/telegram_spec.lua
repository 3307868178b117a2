-- Telegram, its bots' hosts and what they need fail at random points while people write: every update is taken once, in
-- the order of its chat, every message answered, and what a person was told twice is on record. tools/chaos --telegram
-- does more rounds of it.

local checker = require "spec.support.checker"
local programs = require "spec.support.process"
local rig = require "spec.chaos.telegram_rig"
local rounds = require "spec.chaos.rounds"

describe("faults of Telegram", function()
  local systems = {
    ["SQLite"] = { rounds = 9 },
    ["two instances of two workers"] = { rounds = 9, postgres = true, redis = true, workers = 2, instances = 2 },
  }
  for name, system in pairs(systems) do
    it("lose and double nothing, and keep the order of chats on " .. name, function()
      local r = rig.start(system)
      local load = r:load()
      local done = rounds.run(r, system.rounds)
      local problems = r:check()
      r:close()
      assert.same({}, checker.kinds(problems), rounds.describe(problems, done))
      for _, round in ipairs(done) do assert.is_truthy(round.all_s, "nobody was answered after " .. round.fault) end
      assert.is_true(load.turns > 100)
    end)
  end
end)

describe("the checker of Telegram", function()
  -- What a broken host does under a fault, as the checker calls it.
  local function kinds_of(defect, faults, before_check)
    local r = rig.start {
      argv = { programs.EXE, "lua", "spec/chaos/sabotage.lua" }, env = { SPEC_SABOTAGE = defect },
    }
    r.settle_s = 3
    r:load()
    rounds.run(r, 4, faults)
    r:quiesce()
    if before_check then assert(r:database():script(before_check)) end
    local problems = r:check()
    r:close()
    return checker.kinds(problems), checker.describe(problems)
  end

  it("has nothing to say against a host that is whole", function()
    local kinds, words = kinds_of("none", { "worker_killed", "updates_again" })
    assert.same({}, kinds, words)
  end)

  it("has nothing to say when updates come again while others have not come at all", function()
    local kinds, words = kinds_of("none", { "updates_again_late" })
    assert.same({}, kinds, words)
  end)

  it("notices updates that are confirmed before they are durable", function()
    local kinds, words = kinds_of("early_confirmation", { "worker_killed" })
    assert.is_true((kinds.lost or 0) > 0, words)
  end)

  it("notices updates that are taken twice", function()
    local kinds, words = kinds_of("no_key_of_updates", { "updates_again" })
    assert.is_true((kinds.doubled or 0) > 0 and (kinds.order or 0) > 0, words)
  end)

  it("notices turns that overtake one another", function()
    local kinds, words = kinds_of("order_of_updates", { "updates_again" })
    assert.is_true((kinds.order or 0) > 0, words)
  end)

  it("notices answers that come twice and are not on record", function()
    local kinds, words = kinds_of("none", { "telegram_loses_answers" }, "UPDATE outbox SET uncertain = 0")
    assert.is_true((kinds.doubled or 0) > 0, words)
  end)
end)
