-- The heap of the core's Lua state (host/engine/slab.h): what is in a block stays there until it is freed, whatever
-- size it had and grows to, and every byte is counted.

local task = require "host.task"

-- Texts of any length have their number in front and behind: blocks that overlap would mix them.
local function text(n, length) return ("%08d%s%08d"):format(n, ("x"):rep(length), n) end

local function is_whole(s, n, length)
  return #s == length + 16 and s:sub(1, 8) == ("%08d"):format(n) and s:sub(-8) == ("%08d"):format(n)
    and not s:sub(9, -9):find "[^x]"
end

describe("the heap of the core", function()
  it("keeps blocks of all sizes apart while others are freed and given out again", function()
    local kept, n = {}, 0
    for _ = 1, 40 do
      for length = 0, 600, 7 do
        n = n + 1
        kept[n % 1500 + 1] = { text(n, length), n, length }
      end
      collectgarbage()
    end
    for _, k in ipairs(kept) do assert.is_true(is_whole(k[1], k[2], k[3])) end
  end)

  it("moves what grows past the sizes that it keeps lists of, and back", function()
    local tables = {}
    for i = 1, 60 do tables[i] = {} end
    for size = 1, 300 do
      for i, t in ipairs(tables) do t[size], t["k" .. size] = i * size, i end
    end
    collectgarbage()
    for i, t in ipairs(tables) do
      for size = 1, 300 do
        assert.equal(i * size, t[size])
        assert.equal(i, t["k" .. size])
      end
    end
  end)

  it("counts as LuaJIT does", function()
    collectgarbage()
    collectgarbage "stop"
    local host, lua = task.stats().core_bytes, collectgarbage "count" * 1024
    collectgarbage "restart"
    assert.near(lua, host, 1024) -- of which the calls in between have made some
  end)
end)
