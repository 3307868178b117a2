-- What LuaJIT gets wrong in the states that the platform runs in, and the host sees to.

local programs = require "spec.support.process"

describe("a loop over pairs", function()
  it("visits every element, also when the compiler gives up on it (LuaJIT #827)", function()
    local r = programs.parley { "lua", "spec/engine/nested_pairs.lua" }
    assert.same({ 0, "0\n" }, { r.code, r.out })
  end)

  it("is over all that next gives, once", function()
    local t, seen = { "one", "two", key = "three", [2.5] = "four", [true] = "five" }, {}
    for k, v in pairs(t) do
      assert.is_nil(seen[k])
      seen[k] = v
    end
    assert.same(t, seen)
    for _ in pairs {} do error "there is nothing" end
  end)

  -- What LuaJIT compiles its own `next` to reads half an address, by chance (LuaJIT #829).
  it("has no step that the compiler makes code of", function()
    local funcinfo = require("jit.util").funcinfo
    assert.is_number(funcinfo(type).ffid) -- LuaJIT's own have a number
    assert.is_nil(funcinfo(next).ffid)
    assert.is_nil(funcinfo(next).linedefined)
    assert.equal(next, (pairs {}))
  end)

  it("steps as ever", function()
    assert.same({ nil, n = 1 }, { next {}, n = select("#", next {}) })
    assert.same({ 1, "x" }, { next { "x" } })
    assert.is_nil(next({ "x" }, 1))
    assert.same({ false, "invalid key to 'next'" }, { pcall(next, {}, "x") })
    assert.matches("table expected, got number", select(2, pcall(next, 1)))
  end)

  it("may clear what it visits", function()
    local t = {}
    for i = 1, 100 do t["k" .. i] = i end
    for k in pairs(t) do t[k] = nil end
    assert.is_nil(next(t))
  end)

  it("is refused over what is no table, at the line of the caller", function()
    for _, value in ipairs { 1, "x", true } do
      local ok, message = pcall(function() for _ in pairs(value) do end end) -- luacheck: ignore
      assert.is_false(ok)
      assert.matches("pairs_spec.lua:%d+: bad argument #1 to 'pairs' %(table expected, got " .. type(value), message)
    end
    assert.is_false(pcall(pairs))
  end)
end)
