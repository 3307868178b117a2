-- Rounds of faults at random points under load, and what became of the host after each.

local checker = require "spec.support.checker"
local faults = require "spec.chaos.faults"
local task = require "host.task"
local time = require "host.time"

local M = {}

local HANG_S = 60 -- not measured against: a host that has not come back by then never will

---The names of the faults that a rig can have.
---@param rig table spec.chaos.rig
---@return string[]
function M.possible(rig)
  local names = {}
  for name, fault in pairs(faults) do
    if not fault.needs or rig[fault.needs] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- Each kind as often as the others, in an order that nobody chose.
local function shuffled(names, count)
  local plan = {}
  while #plan < count do
    local turn = { unpack(names) }
    while #turn > 0 and #plan < count do plan[#plan + 1] = table.remove(turn, math.random(#turn)) end
  end
  return plan
end

---@class spec.Round
---@field fault string
---@field rate number turns/s before it
---@field fault_s number how long it lasted
---@field first_s number|nil from its end to the first answer; nil: there was none
---@field all_s number|nil until every connection of the clients had one

---@param rig table with clients at work
---@param count integer
---@param names string[]|nil of the faults, default: all that the rig can have
---@param on_round fun(round: spec.Round)|nil
---@return spec.Round[]
function M.run(rig, count, names, on_round)
  local done, load = {}, rig.running
  for i, name in ipairs(shuffled(names or M.possible(rig), count)) do
    local turns, since = load.turns, time.mono()
    task.sleep(0.3 + 0.7 * math.random())
    local round = { fault = name, rate = (load.turns - turns) / (time.mono() - since) }
    since = time.mono()
    faults[name].run(rig)
    round.fault_s = time.mono() - since
    round.first_s, round.all_s = load:recovery(time.mono(), HANG_S)
    done[i] = round
    if on_round then on_round(round) end
  end
  return done
end

---Problems, and the faults that they came of, in their order.
---@param problems table[] of spec.support.checker
---@param rounds spec.Round[]
---@return string
function M.describe(problems, rounds)
  local names = {}
  for i, round in ipairs(rounds) do names[i] = round.fault end
  return ("after %s:\n%s"):format(table.concat(names, ", "), checker.describe(problems))
end

---The worst of each kind of fault, for a person.
---@param rounds spec.Round[]
---@return string
function M.report(rounds)
  local kinds, lines = {}, { ("%-24s %6s %10s %12s %12s"):format("fault", "rounds", "lasted s", "first s", "everyone s") }
  for _, r in ipairs(rounds) do
    local k = kinds[r.fault] or { count = 0, fault_s = 0, first_s = 0, all_s = 0 }
    kinds[r.fault], k.count = k, k.count + 1
    for _, key in ipairs { "fault_s", "first_s", "all_s" } do k[key] = math.max(k[key], r[key] or math.huge) end
  end
  local names = {}
  for name in pairs(kinds) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local k = kinds[name]
    lines[#lines + 1] = ("%-24s %6d %10.2f %12.3f %12.3f"):format(name, k.count, k.fault_s, k.first_s, k.all_s)
  end
  return table.concat(lines, "\n")
end

return M
