-- Every attack of the catalogue in every ring; each is tried in a fresh state beside a neighbour.

local arena = require "spec.sandbox.arena"
local catalogue = require "spec.sandbox.catalogue"
local rings = require "spec.support.rings"

for _, ring in ipairs(rings) do
  for _, class in ipairs(catalogue.attacks()) do
    describe("in the " .. ring.name .. " ring, an attack by " .. class.name, function()
      local place
      setup(function() place = arena.new(ring.new) end)
      for _, attack in ipairs(class.cases) do
        it(attack.name, function() assert.is_nil(place:try(attack)) end)
      end
    end)
  end
end

describe("the catalogue", function()
  it("has at least 120 attacks, no two with one name or one source", function()
    local names, sources, n = {}, {}, 0
    for _, class in ipairs(catalogue.attacks()) do
      for _, attack in ipairs(class.cases) do
        local source = attack.source .. arena.show(attack.lib) .. ((attack.play or attack.serve) and attack.name or "")
        assert.is_nil(names[attack.name], attack.name)
        assert.is_nil(sources[source], attack.name)
        names[attack.name], sources[source], n = true, true, n + 1
      end
    end
    assert.is_true(n >= 120, n .. " attacks")
  end)
end)
