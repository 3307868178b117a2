-- A process that was stopped for a while has not spent the time of what it was about.

local fs = require "host.fs"
local programs = require "spec.support.process"
local rings = require "spec.support.rings"
local task = require "host.task"
local time = require "host.time"

local prelude = require("parley.engine.prelude").text()

-- Stops these processes for some seconds.
local function stand_still(seconds, pids)
  local all = table.concat(pids, " ")
  programs.run { "sh", "-c", ("kill -STOP %s; sleep %d; kill -CONT %s"):format(all, seconds, all) }
end

describe("the time that a process has stood still does not count", function()
  local woken, waiting, computing = task.cond(), nil, {}
  -- A machine with other work may take a while until the processes are stopped, and after it.
  setup(function()
    local till = time.now() + 11
    waiting = task.spawn(function() return woken:wait(8) end)
    local pids = { fs.read("/proc/self/stat"):match "^%d+" }
    for _, ring in ipairs(rings) do
      local sb = assert(ring.new { name = "t", memory = 4 * 1024 * 1024, prelude = prelude })
      assert(sb:compile("main", "local till = ... while os.clock() < till do end return 'finished'", "=main"))
      computing[ring.name] = task.spawn(function() return sb:start("main", 60000, 8, till) end)
      pids[#pids + 1] = sb:stats().pid
    end
    stand_still(10, pids)
  end)

  it("for what waits", function()
    task.sleep(0.3) -- whatever has expired has said so
    woken:signal()
    local _, ok, err = waiting:join()
    assert.is_true(ok, err and err.message)
  end)

  for _, ring in ipairs(rings) do
    it("for a plugin that computes, in the " .. ring.name .. " ring", function()
      local _, kind, value = computing[ring.name]:join()
      assert.same({ "done", "finished" }, { kind, type(value) == "table" and value.message or value })
    end)
  end
end)
