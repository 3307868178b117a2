-- What may go wrong, by name: `run` lets it happen and returns when it is over. `needs` names the part of the
-- rig without which it cannot happen.

local programs = require "spec.support.process"
local task = require "host.task"

local M = {}

local function any(list) return list[math.random(#list)] end

M.worker_killed = {
  run = function(rig)
    local workers = programs.children(any(rig.instances).h.pid)
    if #workers > 0 then programs.kill(any(workers), "KILL") end
  end,
}

M.host_killed = {
  run = function(rig) rig:restart(math.random(#rig.instances)) end,
}

-- Longer than the others need to take what it has left, 10 s when they lose who looks after that, too.
local AWAY_S = 8

M.instance_away = {
  needs = "others",
  run = function(rig) rig:restart(math.random(#rig.instances), AWAY_S + 4 * math.random()) end,
}

M.instance_stands_still = {
  needs = "others",
  run = function(rig) rig:freeze(math.random(#rig.instances), AWAY_S + 4 * math.random()) end,
}

M.clients_reset = {
  needs = "proxy",
  run = function(rig) rig.proxy:reset() end,
}

M.clients_slow = {
  needs = "proxy",
  run = function(rig)
    rig.proxy:rate(math.random(2000, 20000))
    task.sleep(0.5)
    rig.proxy:pass()
  end,
}

M.clients_cut_off = {
  needs = "proxy",
  run = function(rig)
    rig.proxy:blackhole()
    task.sleep(0.3 + math.random())
    rig.proxy:reset() -- what was sent before has arrived, its answer never will
    rig.proxy:pass()
  end,
}

-- Servers: each may be killed, and each may stand still.
for _, server in ipairs { "postgres", "redis" } do
  M[server .. "_killed"] = {
    needs = server,
    run = function(rig)
      rig[server]:kill()
      task.sleep(math.random())
      rig[server]:again()
    end,
  }
  M[server .. "_stands_still"] = {
    needs = server,
    run = function(rig)
      rig[server]:pause()
      task.sleep(1 + 2 * math.random())
      rig[server]:resume()
    end,
  }
end

-- The ways to them: broken, slow, and silent for a while.
for _, link in ipairs { "postgres_link", "redis_link" } do
  M[link .. "_reset"] = {
    needs = link,
    run = function(rig) rig[link]:reset() end,
  }
  M[link .. "_slow"] = {
    needs = link,
    run = function(rig)
      rig[link]:delay(math.random(20, 100))
      task.sleep(1)
      rig[link]:pass()
    end,
  }
  M[link .. "_cut_off"] = {
    needs = link,
    run = function(rig)
      rig[link]:blackhole()
      task.sleep(1 + math.random())
      rig[link]:pass()
    end,
  }
end

for name, fault in pairs(require "spec.chaos.telegram_faults") do M[name] = fault end

return M
