-- A process that was stopped for a while has not spent the time of what it was about.

local fs = require "host.fs"
local programs = require "spec.support.process"
local rings = require "spec.support.rings"
local task = require "host.task"

local prelude = require("parley.engine.prelude").text()

-- Stops this process, and another one, for some seconds.
local function stand_still(seconds, other)
  local pids = fs.read("/proc/self/stat"):match "^%d+" .. " " .. (other or "")
  programs.run { "sh", "-c", ("kill -STOP %s; sleep %d; kill -CONT %s"):format(pids, seconds, pids) }
end

describe("the time that a process has stood still", function()
  it("does not count for what waits", function()
    local woken = task.cond()
    local h = task.spawn(function() return woken:wait(2) end)
    stand_still(4)
    task.sleep(0.3) -- whatever has expired has said so
    woken:signal()
    local _, ok, err = h:join()
    assert.is_true(ok, err and err.message)
  end)

  for _, ring in ipairs(rings) do
    it("does not count for a plugin that computes, in the " .. ring.name .. " ring", function()
      local sb = assert(ring.new { name = "t", memory = 4 * 1024 * 1024, prelude = prelude })
      assert(sb:compile("main", "local from = os.clock() while os.clock() - from < 6 do end return 'finished'", "=main"))
      local h = task.spawn(function() return sb:start("main", 60000, 3) end)
      stand_still(5, sb:stats().pid)
      local _, kind, value = h:join()
      assert.same({ "done", "finished" }, { kind, type(value) == "table" and value.code or value })
      sb:close()
    end)
  end
end)
