-- Memory at the edge: programs whose cap is anywhere between too little and enough, and what thousands of them leave behind.

local arena = require "spec.sandbox.arena"
local catalogue = require "spec.sandbox.catalogue"
local rings = require "spec.support.rings"
local task = require "host.task"

local STEPS = 16 -- caps that each program is tried with

local function resident()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmRSS:%s*(%d+)"
    if kb then return tonumber(kb) * 1024 end
  end
end

-- A state that holds more than the least cap there is, so that any cap can be set for what comes on top of it.
local function laden(place, program, memory)
  local lib = { ballast = "local t = {} for i = 1, 2000 do t[i] = { i } end return t" }
  for name, text in pairs(program.lib or {}) do lib[name] = text end
  local sb = place:state { memory = memory, lib = lib }
  assert(sb:compile("load", "require 'ballast'", "=load"))
  if sb:start("load", 1000, 20) == "done" then return sb end
  sb:close() -- too little even for that
end

for _, ring in ipairs(rings) do
  local steps = ring.name == "trusted" and STEPS or STEPS / 8 -- the allocator is the same, a process costs more

  describe("in the " .. ring.name .. " ring, a program at the edge of its memory", function()
    local place
    setup(function() place = arena.new(ring.new) end)

    -- The allocation that fails is another one with each cap: in the library, on a stack, in what crosses the door.
    for _, class in ipairs(catalogue.programs()) do
      it("of " .. class.name .. " ends as it should or is stopped, wherever it runs out", function()
        local stopped = 0
        for _, program in ipairs(class.cases) do
          local sb = laden(place, program, program.memory)
          local base = sb:stats().peak
          place:run(program, sb)
          local peak = sb:stats().peak
          sb:close()
          for step = 0, steps do
            sb = laden(place, program, math.floor(base + (peak - base) * step / steps) + 512 + step)
            local outcome = sb and place:run(program, sb) or { "error", { code = "memory_limit" } }
            local code = outcome[1] ~= "done" and outcome[2].code or nil
            if code == "memory_limit" then
              stopped = stopped + 1
            elseif code then
              assert.is_nil(program.name .. ": " .. arena.show(outcome))
            end
            if sb then
              assert.equal(code ~= nil, sb:stats().broken, program.name)
              assert.is_true(sb:stats().peak <= sb:stats().limit + 4096, program.name)
              sb:close()
            end
          end
        end
        assert.is_true(stopped >= #class.cases, "only " .. stopped .. " were stopped")
      end)
    end
  end)
end

describe("a thousand states that were stopped by force", function()
  for code, source in pairs {
    memory_limit = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    cpu_limit = "local t = {} for i = 1, 2000 do t[i] = { i } end while true do end",
  } do
    it("leave nothing behind, stopped by " .. code, function()
      local place = arena.new(rings[1].new)
      local attack = { memory = 512 * 1024, cpu_ms = code == "cpu_limit" and 1 or 1000, source = source }
      local function break_states(n)
        for _ = 1, n do
          local sb = place:state(attack)
          local outcome = place:run(attack, sb)
          assert.equal(code, outcome[2].code)
          sb:close()
        end
        collectgarbage()
        collectgarbage()
      end
      break_states(50)
      local states, ops, memory = task.stats().states, task.stats().ops, resident()
      break_states(1000)
      assert.equal(states, task.stats().states)
      assert.equal(ops, task.stats().ops)
      assert.is_true(resident() - memory < 16 * 1024 * 1024) -- half a gigabyte, if they stayed
    end)
  end
end)
