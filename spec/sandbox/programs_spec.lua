-- Legitimate programs: what must keep working, whatever is done against attacks.

local arena = require "spec.sandbox.arena"
local catalogue = require "spec.sandbox.catalogue"
local rings = require "spec.support.rings"

for _, ring in ipairs(rings) do
  for _, class in ipairs(catalogue.programs()) do
    describe("in the " .. ring.name .. " ring, a program of " .. class.name, function()
      local place
      setup(function() place = arena.new(ring.new) end)
      for _, program in ipairs(class.cases) do
        it(program.name, function() assert.is_nil(place:try(program)) end)
      end
    end)
  end
end

describe("the programs", function()
  it("are at least 60", function()
    local n = 0
    for _, class in ipairs(catalogue.programs()) do n = n + #class.cases end
    assert.is_true(n >= 60, n .. " programs")
  end)
end)
