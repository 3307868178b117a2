-- The catalogue is held against sandboxes that are weak on purpose: what none of them falls to proves little.

local arena = require "spec.sandbox.arena"
local catalogue = require "spec.sandbox.catalogue"
local process = require "host.process"
local programs = require "spec.support.process"
local task = require "host.task"

local SILENT_S = 1 -- longer than any attack takes: the child hangs
local START_S = 60 -- until it begins with the first: a busy machine

-- Runs attacks from number `first` on in a process of their own. Returns the number of the one that has succeeded, or has
-- crashed or hung the process; nil when all were withstood.
local function first_that_succeeds(control, first)
  local child = assert(process.spawn {
    argv = { programs.EXE, "lua", "spec/sandbox/one_by_one.lua", control, tostring(first) }, stderr = "null",
  })
  local at
  while true do
    local line = child:read_line(at and SILENT_S or START_S)
    if not line or line:find "^fell" then break end
    at = tonumber(line:match "^#(%d+)$") or line == "held" and nil or at
  end
  child:close()
  return at
end

-- The numbers of the attacks that succeed.
local function successes(control)
  local out, at = {}, 0
  while true do
    at = first_that_succeeds(control, at + 1)
    if not at then return out end
    out[at] = true
  end
end

describe("against the catalogue", function()
  local naive, stock, all

  setup(function()
    local beside = task.spawn(successes, "stock")
    naive, all = successes "naive", {}
    stock = select(2, beside:join())
    for _, class in ipairs(catalogue.attacks()) do
      for _, attack in ipairs(class.cases) do all[#all + 1] = attack.name end
    end
  end)

  it("a naive sandbox falls to most attacks", function()
    local n = 0
    for _ in pairs(naive) do n = n + 1 end
    assert.is_true(n > #all / 2, n .. " of " .. #all)
  end)

  -- The others hold LuaJIT to what it promises by itself: also that must not be lost by what is put around it.
  it("at least 200 attacks succeed where a sandbox is weak", function()
    local n = 0
    for i = 1, #all do
      if naive[i] or stock[i] then n = n + 1 end
    end
    assert.is_true(n >= 200, n .. " of " .. #all)
  end)
end)

describe("the judge of an attack", function()
  local outcomes = {
    gives = { n = 2, "done", 1 }, raises = { n = 2, "error", { code = "exception", message = "main.lua:1: text" } },
    refused = { n = 2, "refused", { code = "syntax", message = "text" } },
    stops = { n = 2, "error", { code = "cpu_limit", message = "text" } },
    ends = { n = 2, "error", { code = "invalid", message = "text" } },
  }
  local musts = {
    gives = { gives = { 1 } }, raises = { raises = "main.lua:1: text" }, refused = { refused = "syntax", says = "text" },
    stops = { stops = "cpu_limit" }, ends = { ends = "invalid", says = "text" },
  }

  for kind, must in pairs(musts) do
    it("knows what " .. kind .. " from everything else", function()
      for other, outcome in pairs(outcomes) do
        assert.equal(kind == other, arena.judge(must, outcome) == nil, kind .. " " .. other)
      end
    end)
  end

  it("sees another value, another text, another code and one value too many", function()
    assert.is_string(arena.judge({ gives = { 2 } }, outcomes.gives))
    assert.is_string(arena.judge({ gives = {} }, outcomes.gives))
    assert.is_string(arena.judge({ gives = { 1 } }, { n = 3, "done", 1, nil }))
    assert.is_string(arena.judge({ raises = "main.lua:2: text" }, outcomes.raises))
    assert.is_string(arena.judge({ refused = "syntax", says = "words" }, outcomes.refused))
    assert.is_string(arena.judge({ stops = "memory_limit" }, outcomes.stops))
  end)

  it("sees addresses and what belongs to others, wherever they stand", function()
    assert.is_nil(arena.leak { "table", { a = "0x12" } })
    assert.is_string(arena.leak { "x", { { "table: 0x7f00deadbeef" } } })
    assert.is_string(arena.leak { { ["canary-of-the-core"] = 1 } })
    assert.is_string(arena.leak { { message = "root:x:0:0" } })
  end)
end)
