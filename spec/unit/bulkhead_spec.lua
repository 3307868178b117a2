-- Places for a few at a time.

local bulkhead = require "parley.util.bulkhead"
local task = require "host.task"

describe("a bulkhead", function()
  it("lets a few in, the others in their order, and nobody twice", function()
    local b, inside, most, order = bulkhead.new(2), 0, 0, {}
    local tasks = {}
    for i = 1, 6 do
      tasks[i] = task.spawn(function()
        return b:within(30, function(n)
          inside = inside + 1
          most = math.max(most, inside)
          task.sleep(0)
          inside, order[#order + 1] = inside - 1, n
          return n, "more"
        end, i)
      end)
    end
    for i, t in ipairs(tasks) do assert.same({ true, i, "more" }, { t:join() }) end
    assert.same({ 2, { 1, 2, 3, 4, 5, 6 } }, { most, order })
  end)

  it("gives the place back when what is done inside fails", function()
    local b = bulkhead.new(1)
    for _ = 1, 3 do assert.has_error(function() b:within(1, error, "no", 0) end, "no") end
    assert.equal("well", (b:within(1, function() return "well" end)))
  end)

  it("sends away who has waited too long", function()
    local b = bulkhead.new(1)
    b:enter(1)
    local got, err = b:within(0.001, error)
    assert.same({ nil, "timeout" }, { got, err.code })
  end)
end)
