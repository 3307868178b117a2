-- How Telegram may fail: rules of its simulator for a while, and updates that come once more.

local task = require "host.task"

local M = {}

-- Every call, or a share of them, for a moment; with `after`, what clients and we wait for on top of it.
local function misbehave(rules)
  return {
    needs = "sim",
    run = function(rig)
      for _, rule in ipairs(rules) do
        local given = { times = 0 }
        for key, value in pairs(rule) do given[key] = value end
        assert(rig.sim:act("faults", given))
      end
      task.sleep(0.3 + math.random())
      rig.sim:act "calm"
    end,
  }
end

M.telegram_down = misbehave { { kind = "reset" } }
M.telegram_slow = misbehave { { kind = "slow", seconds = 0.3 } }
M.telegram_refuses = misbehave { { kind = "status", status = 429, retry_after = 1 } }
M.telegram_fails = misbehave { { kind = "status", status = 502, share = 0.5 } }
M.telegram_garbles = misbehave { { kind = "garbage", share = 0.3 }, { kind = "truncated", share = 0.3 } }
M.telegram_loses_answers = misbehave { { kind = "lost", share = 0.3 } }
M.telegram_hangs = misbehave { { kind = "hang", seconds = 0.5, share = 0.3 } }
M.telegram_conflicts = misbehave { { kind = "status", status = 409, method = "getUpdates" } }

M.updates_again = {
  needs = "sim",
  run = function(rig) rig.running:bring_again(20) end,
}

-- While the webhook is out of reach, and later than what was written before them.
M.updates_again_late = {
  needs = "sim",
  run = function(rig)
    rig.proxy:blackhole()
    task.sleep(0.5)
    rig.running:bring_again(50)
    task.sleep(0.2)
    rig.proxy:reset()
    rig.proxy:pass()
  end,
}

return M
