-- What the fuzzers have found in the sandbox, as small as it got.

local rings = require "spec.support.rings"
local task = require "host.task"

local prelude = require("parley.engine.prelude").text()

for _, ring in ipairs(rings) do
  local function new(memory)
    return assert(ring.new { name = "t", memory = memory or 1024 * 1024, prelude = prelude })
  end

  local function start(sb, source, ...)
    assert(sb:compile("main", source, "=main"))
    return sb:start("main", 1000, 5, ...)
  end

  -- Compiles what two events of one plugin do with a coroutine that both can reach.
  local function with_shared(first, second)
    local sb = new()
    assert(sb:compile("lib:shared", "return {}", "=shared"))
    assert(sb:compile("first", "local s = require 'shared' " .. first, "=first"))
    assert(sb:compile("second", "local s = require 'shared' " .. second, "=second"))
    return sb
  end

  describe("what fuzzers have found, in the " .. ring.name .. " ring:", function()
    it("a size that no state could hold is a memory error like any other", function()
      local sb = new()
      local kind, err = start(sb, "return ('xyz'):rep(2 ^ 30)")
      assert.equal("error", kind)
      assert.equal("memory_limit", err.code)
      assert.is_true(sb:stats().broken)
    end)

    it("a number raised with the last bytes has a text that needs more than there is", function()
      local limit, seen = 256 * 1024, {}
      local function fill(n, bytes)
        local sb = new(limit)
        local _, err = start(sb, ([[
          local n, bytes = ...
          local a, t = ("x"):rep(8192), { %s }
          for i = 1, n do t[i] = a .. i end
          local s = a:sub(1, bytes)
          error(0.123456, 0)
        ]]):format(("0,"):rep(40)), n, bytes)
        seen[err.code] = err.message
        sb:close()
        return err.code
      end
      local n = 1
      while fill(n, 0) ~= "memory_limit" do n = n + 1 end
      for bytes = 0, 2 * 8192 - 1, 24 do fill(n - 2 + math.floor(bytes / 8192), bytes % 8192) end
      assert.same({ exception = "0.123456", memory_limit = "needs more memory than its limit" }, seen)
    end)

    it("a coroutine at the door of one event cannot be resumed by another", function()
      local sb = with_shared([[
        s.co = coroutine.create(function() return "answered " .. tostring(host("ask")) end)
        return coroutine.resume(s.co)
      ]], "return coroutine.status(s.co), coroutine.resume(s.co, 'forged')")
      local kind, call = sb:start("first", 1000, 5)
      assert.equal("door", kind)
      assert.same({ "done", "normal", false, "cannot resume normal coroutine" }, { sb:start("second", 1000, 5) })
      assert.same({ "done", true, "answered 42" }, { call:answer(42) })
    end)

    it("a coroutine whose event has ended at the door is not resumed by a later one", function()
      local sb = with_shared([[
        s.co = coroutine.create(function() return host("ask") end)
        return coroutine.resume(s.co)
      ]], "return coroutine.resume(s.co, 'forged')")
      local _, call = sb:start("first", 1000, 5)
      call:stop "not needed"
      assert.same({ "done", false, "cannot resume normal coroutine" }, { sb:start("second", 1000, 5) })
    end)

    it("a coroutine that was interrupted in one event cannot be resumed by another", function()
      local sb = with_shared([[
        s.co = coroutine.create(function()
          while not s.stop do end
          return "ended by itself"
        end)
        return coroutine.resume(s.co)
      ]], [[
        s.stop = true
        return coroutine.resume(s.co, "forged")
      ]])
      local first = task.spawn(function() return sb:start("first", 5000, 5) end)
      task.sleep(0.01)
      assert.same({ "done", false, "cannot resume normal coroutine" }, { sb:start("second", 1000, 5) })
      assert.same({ true, "done", true, "ended by itself" }, { first:join() })
    end)

    it("a call is not blamed for the limit that another one in its state has passed", function()
      local sb = new()
      assert(sb:compile("innocent", "local n = 0 for i = 1, 1e9 do n = n + i end return n", "=innocent"))
      assert(sb:compile("runaway", "while true do end", "=runaway"))
      local innocent = task.spawn(function() return sb:start("innocent", 60000, 20) end)
      local _, runaway = sb:start("runaway", 10, 20)
      assert.equal("cpu_limit", runaway.code)
      local _, kind, err = innocent:join()
      assert.same({ "error", "disabled" }, { kind, err.code })
      assert.matches("another call was stopped by force", err.message)
    end)

    it("a coroutine that has yielded may be resumed by another event", function()
      local sb = with_shared([[
        s.co = coroutine.wrap(function(a) while true do a = coroutine.yield(a + 1, "x", nil) end end)
        return s.co(1)
      ]], "return select('#', s.co(2)), s.co(5)")
      assert.same({ "done", 2, "x" }, { sb:start("first", 1000, 5) })
      assert.same({ "done", 3, 6, "x" }, { sb:start("second", 1000, 5) })
    end)
  end)
end
