-- Samples of what a sandboxed state does: which functions have its time and its memory, in both rings.

local json = require "host.json"
local prelude = require "parley.engine.prelude"
local rings = require "spec.support.rings"

local SOURCE = [[
local function spin(n) local x = 0 for i = 1, n do x = x + i % 7 end return x end
local function grow(n) local t = {} for i = 1, n do t[i] = { i } end return #t end
local function both(n)
  spin(n)
  return (function() return grow(n / 100) end)()
end
local function quick(n) return n end
export("spin", spin)
export("grow", grow)
export("both", both)
export("quick", quick)
export("strings", function(n) local s = {} for i = 1, n do s[1] = ("x"):rep(2000) .. i end end)
export("inner", function(n)
  local x = coroutine.wrap(function() local y = spin(n) return y end)()
  return x
end)
export("deep", function(n)
  local function down(k) if k == 0 then return spin(n) end return down(k - 1) + 1 end
  return down(400)
end)
export("many", function(n)
  for i = 1, n do both(100) end
end)
]]

-- What each stack has had: {us, samples, bytes, line} by its text.
local function read(text)
  local out = {}
  for us, samples, bytes, line, stack in text:gmatch "(%d+) (%d+) (%d+) (%d+) ([^\n]*)\n" do
    local s = out[stack] or { us = 0, samples = 0, bytes = 0, lines = {} }
    out[stack] = s
    s.us, s.samples, s.bytes = s.us + us, s.samples + samples, s.bytes + bytes
    s.lines[tonumber(line)] = true
  end
  return out
end

local function innermost(stacks, key)
  local out, sum = {}, 0
  for stack, s in pairs(stacks) do
    local leaf = stack:match "([^;]+)$"
    out[leaf] = (out[leaf] or 0) + s[key]
    sum = sum + s[key]
  end
  return out, sum
end

for _, ring in ipairs(rings) do
  describe("a profile in the ring " .. ring.name, function()
    local sb

    local function start(...)
      local kind, value = sb:start(...)
      assert.equal("done", kind, type(value) == "table" and json.encode(value) or value)
    end

    before_each(function()
      sb = assert(ring.new { name = "mine", prelude = prelude.text() })
      assert(sb:compile("main", SOURCE, "@mine/main.lua"))
      start("run", 0, 0, "main")
    end)
    after_each(function() sb:close() end)

    it("says which functions have the time, and where in them", function()
      assert.equal("", sb:profile(200))
      for _ = 1, 20 do start("both", 0, 0, 2e5) end
      local stacks = read(sb:profile())
      local by, sum = innermost(stacks, "us")
      assert.is_true(by["main.lua:1"] > 0.5 * sum, json.encode(by))
      local found
      for stack, s in pairs(stacks) do
        if stack:find "main.lua:3;main.lua:1$" then
          found = true
          assert.is_true(s.lines[1] and s.samples > 5)
        end
      end
      assert.is_true(found, json.encode(by))
    end)

    it("says which functions have allocated what", function()
      sb:profile(1e6, 4096)
      start("both", 0, 0, 2e6)
      local by, sum = innermost(read(sb:profile()), "bytes")
      assert.is_true(sum > 2e4 * 40, sum)
      assert.is_true(by["main.lua:2"] > 0.9 * sum, json.encode(by))
    end)

    it("counts what is allocated at once for who has caused it", function()
      sb:profile(1e6, 65536)
      start("strings", 0, 0, 2000)
      local by, sum = innermost(read(sb:profile()), "bytes")
      assert.is_true(sum > 3e6)
      assert.is_true(by["main.lua:12"] > 0.9 * sum, json.encode(by))
    end)

    it("adds up what is too short for a sample", function()
      sb:profile(100)
      for _ = 1, 3000 do start("many", 0, 0, 5) end
      local by, sum = innermost(read(sb:profile()), "us")
      assert.is_true((by["main.lua:1"] or 0) > 0, json.encode(by))
      assert.is_true(sum > 1000, sum)
    end)

    it("looks through coroutines, and stops at a depth", function()
      sb:profile(200)
      start("inner", 0, 0, 3e6)
      local found
      for stack in pairs(read(sb:profile(200))) do
        found = found or stack:find "main.lua:13;main.lua:14;main.lua:1$"
      end
      assert.is_truthy(found)
      start("deep", 0, 0, 3e6)
      for stack in pairs(read(sb:profile())) do
        assert.is_true(select(2, stack:gsub(";", "")) < 48)
      end
    end)

    it("begins anew with each report, and ends", function()
      sb:profile(200)
      start("spin", 0, 0, 3e6)
      assert.is_true(#sb:profile(200) > 0)
      assert.equal("", sb:profile(200))
      start("spin", 0, 0, 3e6)
      assert.is_true(#sb:profile() > 0)
      start("spin", 0, 0, 3e6)
      assert.equal("", sb:profile())
    end)

    it("leaves slices, budgets and the cap as they are", function()
      sb:profile(100, 1024)
      local kind, err = sb:start("spin", 20, 0, 1e10)
      assert.same({ "error", "cpu_limit" }, { kind, err.code })
      sb:close()
      sb = assert(ring.new { name = "mine", prelude = prelude.text(), memory = 1024 * 1024 })
      assert(sb:compile("main", SOURCE, "@mine/main.lua"))
      start("run", 0, 0, "main")
      sb:profile(100, 1024)
      kind, err = sb:start("grow", 0, 0, 1e7)
      assert.same({ "error", "memory_limit" }, { kind, err.code })
      assert.equal("string", type(sb:profile()))
    end)

    it("is asked for in reason", function()
      for _, bad in ipairs { { 1 }, { 1e9 }, { 100, 1 }, { "x" } } do
        assert.has_error(function() sb:profile(unpack(bad)) end)
      end
    end)
  end)
end
