-- Garbage of the core, collected while the loop has nothing to do.

local eventually = require "spec.support.eventually"
local task = require "host.task"

describe("garbage of the core", function()
  local function hold()
    local held = {}
    for i = 1, 300000 do held[i] = { i } end
    return #held
  end

  it("is collected when little is allocated any more", function()
    local before = task.stats().core_bytes
    hold()
    local n, most = 0, task.stats().core_bytes
    assert(most > before + 10e6, ("%d bytes, %d before"):format(most, before))
    eventually("it is gone", function()
      n = n + #(("x"):rep(200000) .. n)
      return task.stats().core_bytes < before + 5e6
    end)
  end)

  it("is collected with its finalizers, cycle after cycle", function()
    for _ = 1, 3 do
      local called = 0
      for _ = 1, 5000 do
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = function() called = called + 1 end
      end
      hold()
      eventually("all but a few", function()
        hold()
        return called > 4900
      end)
    end
  end)
end)
