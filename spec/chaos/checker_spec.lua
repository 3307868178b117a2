-- The checker finds what it is for: hosts that are broken on purpose, one defect each, are told from one that
-- is not. A kill test whose checker cannot fail proves nothing.

local checker = require "spec.support.checker"
local programs = require "spec.support.process"
local rig = require "spec.chaos.rig"
local rounds = require "spec.chaos.rounds"
local task = require "host.task"

local FAULTS = { "host_killed", "clients_cut_off" }
local ROUNDS = 4

local function problems_of(defect)
  local r = rig.start {
    argv = { programs.EXE, "lua", "spec/chaos/sabotage.lua" }, env = { SPEC_SABOTAGE = defect }, proxy = true,
  }
  r:load()
  rounds.run(r, ROUNDS, FAULTS)
  task.sleep(0.3)
  local problems = r:check { settle = 2 }
  r:close()
  return checker.kinds(problems), checker.describe(problems)
end

describe("the checker", function()
  it("has nothing to say against a host that is whole", function()
    local kinds, words = problems_of "none"
    assert.same({}, kinds, words)
  end)

  local caught = {
    early_ack = "lost",      -- acknowledged before the commit
    no_key = "doubled",      -- no unique key: what is sent again is another message
    order = "order",         -- messages of a dialog overtake each other
    lost_update = "order",   -- turns of a dialog at the same time, on the same state
  }
  for defect, kind in pairs(caught) do
    it("notices " .. defect, function()
      local kinds, words = problems_of(defect)
      assert.is_true((kinds[kind] or 0) > 0, "nothing of kind " .. kind .. ":\n" .. words)
    end)
  end
end)
