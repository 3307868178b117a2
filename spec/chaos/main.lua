-- tools/chaos: rounds of faults, checked every ten of them.

local checker = require "spec.support.checker"
local options = require "parley.cli.options"
local rounds = require "spec.chaos.rounds"
local task = require "host.task"
local time = require "host.time"

local COMMAND = { options = {
  { name = "rounds", value = "N", help = "how many faults", default = 200, check = options.number(1, 1e6, true) },
  { name = "database", value = "KIND", help = "sqlite or postgres", default = "sqlite",
    check = options.one_of { "sqlite", "postgres" } },
  { name = "redis", help = "with a Redis" },
  { name = "instances", value = "N", help = "on the same database", default = 1, check = options.number(1, 16, true) },
  { name = "workers", value = "N", help = "of each instance", default = 1, check = options.number(1, 16, true) },
  { name = "seed", value = "N", help = "of the plan", check = options.number(0, 2 ^ 31, true) },
  { name = "telegram", help = "messages come from a simulated Telegram, which fails, too" },
  { name = "fault", value = "NAME", help = "this one only" },
} }
local EPOCH = 10 -- rounds between two checks

local function say(...)
  print(string.format(...))
  io.stdout:flush()
end

local function say_round(round)
  say("  %-24s after %4.0f turns/s; first answer after %s s, everyone after %s s", round.fault, round.rate,
    round.first_s and ("%.3f"):format(round.first_s) or "-", round.all_s and ("%.3f"):format(round.all_s) or "-")
end

local function main(o)
  local seed = o.seed or time.now_ms() % 1000000
  math.randomseed(seed)
  local r = require(o.telegram and "spec.chaos.telegram_rig" or "spec.chaos.rig").start {
    postgres = o.database == "postgres", redis = o.redis, instances = o.instances, workers = o.workers,
    proxy = true,
  }
  say("seed %d; faults: %s", seed, table.concat(rounds.possible(r), ", "))
  local done, turns, repeated, failed = {}, 0, 0, 0
  while #done < o.rounds do
    local load = r:load()
    for _, round in ipairs(rounds.run(r, math.min(EPOCH, o.rounds - #done), o.fault and { o.fault }, say_round)) do
      done[#done + 1] = round
    end
    task.sleep(0.5)
    local problems = r:check()
    turns, repeated, failed = turns + load.turns, repeated + load.repeated, failed + #problems
    if #problems > 0 then say("%s", checker.describe(problems)) end
    say("%d of %d rounds, %d turns acknowledged, %d sent again, %d problems", #done, o.rounds, turns, repeated, failed)
  end
  r:close()
  say("\n%s", rounds.report(done))
  return failed == 0 and 0 or 1
end

local o, problem = options.parse(COMMAND, { ... })
if not o then
  io.stderr:write(problem, "\n")
  return 64
end
return main(o)
