-- The cases of `tools/fuzz door`, a few hundred of them that are always the same. PARLEY_FUZZ_CASES and
-- PARLEY_FUZZ_SEED ask for more, and for others.

local gate = require "parley.plugins.gate"
local grammar = require "fuzz.door.grammar"
local rig = require "fuzz.door.rig"

local CASES = tonumber(os.getenv "PARLEY_FUZZ_CASES") or 300
local SEED = tonumber(os.getenv "PARLEY_FUZZ_SEED") or 1

describe("random arguments at the door", function()
  local r
  setup(function() r = rig.new { seed = SEED } end)
  teardown(function() r:close() end)

  it("are served or refused, and the turn is answered and stored", function()
    r:round(1, CASES)
    r:check_leaks()
    local n = r:numbers()
    assert.equal(CASES, n["gate cases"] + n["sdk cases"])
    for _, way in ipairs { "served", "refused invalid", "refused unknown_service", "turn answered", "turn fallback" } do
      assert.is_true((n[way] or 0) > 0, "no case has gone the way " .. way)
    end
  end)

  it("are the same for the same seed and number", function()
    for number = 1, 50 do
      assert(loadstring(grammar.case(SEED, number)))
      assert.equal(grammar.case(SEED, number), grammar.case(SEED, number))
    end
  end)

  -- The rig must find what it is there for.
  for what, run in pairs {
    ["raised in the core: .*boom"] = function() error "boom" end,
    ["a failure without code and message"] = function() return nil, "no" end,
    ["its answer cannot cross: .*a function cannot cross"] = function() return { f = print } end,
  } do
    it("show a service that breaks its promise: " .. what, function()
      local name = "broken." .. what:match "^%w+" .. #what
      gate.register(name, { run = run })
      local ok, problem = pcall(r.run, r, 100000 + #what, ("return {\n { %q, n = 0, a = {} },\n}\n"):format(name))
      assert.is_false(ok)
      assert.matches(what, problem)
    end)
  end

  it("show an error that the SDK raises at a line of its own", function()
    local ok, problem = pcall(r.run, r, 200000, [[
return function(c, check)
  check("own line", function() error("sdk/context:1: attempt to index a nil value", 0) end)
end
]])
    assert.is_false(ok)
    assert.matches("BROKEN own line: raised in the SDK", problem)
  end)
end)
