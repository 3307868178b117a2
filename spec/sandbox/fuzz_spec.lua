-- The random programs of tools/fuzz, a few hundred of them that are always the same. PARLEY_FUZZ_PROGRAMS and
-- PARLEY_FUZZ_SEED ask for more, and for others.

local eventually = require "spec.support.eventually"
local grammar = require "fuzz.programs.grammar"
local library = require "fuzz.programs.library"
local minimise = require "fuzz.lib.minimise"
local rig = require "fuzz.programs.rig"
local task = require "host.task"

local PROGRAMS = tonumber(os.getenv "PARLEY_FUZZ_PROGRAMS") or 300
local SEED = tonumber(os.getenv "PARLEY_FUZZ_SEED") or 1

describe("random programs", function()
  it("end in a known way, one beside the other, and leave nothing", function()
    local r = rig.new { seed = SEED }
    r:round(1, PROGRAMS)
    r:check_leaks()
    assert.equal(PROGRAMS, r.programs)
    assert.equal(PROGRAMS, r.neighbour.asked)
    -- They reach what they are there for.
    for _, way in ipairs { "done", "exception", "cpu_limit", "memory_limit" } do
      assert.is_true((r.counts[way] or 0) > 0, "no program has ended with " .. way)
    end
    r:close()
  end)

  it("are programs", function()
    for number = 1, 300 do assert(loadstring(grammar.program(SEED, number))) end
  end)

  it("are the same for the same seed and number", function()
    assert.equal(grammar.program(7, 9), grammar.program(7, 9))
    assert.is_false(grammar.program(7, 9) == grammar.program(7, 10))
  end)

  it("know every function of the sandbox", function()
    local r = rig.new { seed = SEED }
    local state = r:load(1)
    -- The libraries show no keys: their names are asked of the stock ones and of the catalogue.
    local asked = {}
    for name in pairs(library.functions) do asked[#asked + 1] = name end
    for _, lib in ipairs { "string", "table", "math", "bit", "os", "coroutine" } do
      for name in pairs(_G[lib] or require(lib)) do asked[#asked + 1] = lib .. "." .. name end
    end
    assert(state.sb:compile("there", [[
      local out = {}
      for _, path in ipairs(...) do
        local value = _G
        for part in path:gmatch "[^.]+" do value = value and value[part] end
        if type(value) == "function" then out[#out + 1] = path end
      end
      return out
    ]], "=there"))
    local kind, there = state.sb:start("there", 100, 1, asked)
    assert.equal("done", kind)
    for _, name in ipairs(there) do
      assert(library.functions[name], "fuzz/programs/library.lua does not know " .. name)
    end
    state.driver:close()
    r:close()
  end)
end)

describe("a failing program", function()
  it("is made smaller while it fails", function()
    local small = minimise.run(grammar.program(SEED, 3) .. "do\n  local x = 1\n  boom()\nend\n",
      function(text) return text:find("boom()", 1, true) ~= nil end)
    assert.equal("  boom()\n", small)
  end)
end)

describe("the rig of random programs", function()
  -- It must find what it is there for: each of these breaks one promise.
  local function broken(change)
    local r = rig.new { seed = SEED }
    change(r)
    local ok, problem = pcall(r.run, r, 1, "return 1")
    return not ok and problem or nil
  end

  it("sees a sandbox that has changed", function()
    local problem = broken(function(r)
      local load = r.load
      r.load = function(...)
        local state = load(...)
        local real = state.sb
        state.sb = setmetatable({}, { __index = function(_, name)
          return function(_, slot, source, ...)
            if name == "compile" and slot == "probe" then source = "return 'string.upper is another one'" end
            return real[name](real, slot, source, ...)
          end
        end })
        return state
      end
    end)
    assert.matches("the sandbox has changed: string.upper", problem)
  end)

  it("sees an outcome that nobody knows", function()
    local problem = broken(function(r)
      local load = r.load
      r.load = function(...)
        local state = load(...)
        local real = state.sb
        state.sb = setmetatable({}, { __index = function(_, name)
          return function(_, ...)
            if name == "start" then return "error", { code = "strange", message = "m" } end
            return real[name](real, ...)
          end
        end })
        return state
      end
    end)
    assert.matches("ended in an unknown way: strange", problem)
  end)

  it("sees what is left", function()
    -- The states of the rigs above, which have not been closed, go when they are collected and what ran in them
    -- has ended.
    local before, same = 0, 0
    eventually("an end of what goes", function()
      collectgarbage()
      local now = task.stats().states
      before, same = now, now == before and same + 1 or 0
      return same == 10
    end)
    local r = rig.new { seed = SEED }
    local left = r:load(1)
    assert.has_error(function() r:check_leaks() end, ("%d states before, %d now"):format(r.start.states, r.start.states + 1))
    left.driver:close()
    r:check_leaks()
    r:close()
  end)
end)
