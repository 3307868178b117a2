-- Where an error has come from: the log has the calls that have led to it, in both rings.

local host = require "spec.support.host"
local isolate = require "host.isolate"
local log = require "parley.ops.log"

local MAIN = [[
local p = parley.plugin()
local prices = require "prices"

local function total(cart)
  local sum = prices.sum(cart)
  return sum
end

p.on.command("%s", function(c, what)
  if what == "here" then error "right here" end
  if what == "table" then
    local answer = assert(c.http:get "https://shop.example/")
    return c:reply(answer.body)
  end
  if what == "inside" then
    local sum = coroutine.wrap(function() local n = total {} return n end)()
    return c:reply(sum)
  end
  local n = total {}
  c:reply(n)
end)

return p
]]

local PRICES = [[
local M = {}
function M.sum(cart)
  local n = cart.lines.n
  return n
end
return M
]]

describe("an error in a plugin", function()
  local h, kept
  setup(function()
    local function plugin(name)
      return { main = MAIN:format(name), files = { ["lib/prices.lua"] = PRICES } }
    end
    kept = log.keep()
    h = host.start {
      plugins = { free = plugin "free", held = plugin "held" },
      config = "return { plugins = { held = { ring = 'isolated' } } }",
    }
  end)
  teardown(function()
    h:stop()
    isolate.keep(0)
  end)

  -- What is logged of an event: the place of the error, and the calls that led there.
  local function fail(name, what)
    local dialog = name .. "-" .. what
    h:say(dialog, ("/%s %s"):format(name, what))
    local out = {}
    for _, line in ipairs(kept:read({ limit = 100, dialog = dialog }).lines) do
      if line.msg == "an error was raised" then out.trace = line.fields.traceback end
      if line.msg == "plugin failed" then out.error = line.error end
    end
    return out
  end

  for _, name in ipairs { "free", "held" } do
    it("is told with the calls that have led to it: " .. name, function()
      local told = fail(name, "deep")
      assert.matches("^" .. name .. "/lib/prices.lua:3: attempt to index field 'lines'", told.error)
      assert.equal("lib/prices.lua:3, main.lua:5, main.lua:19", told.trace)
    end)

    it("is told with those outside of its coroutine: " .. name, function()
      assert.equal("lib/prices.lua:3, main.lua:5, main.lua:16, main.lua:16", fail(name, "inside").trace)
    end)

    it("needs no more than its place when nothing led to it: " .. name, function()
      local told = fail(name, "here")
      assert.equal(name .. "/main.lua:10: right here", told.error)
      assert.is_nil(told.trace)
    end)

    it("is told in words when a table was raised: " .. name, function()
      assert.matches("^" .. name .. "/main.lua:9: in .*: http: 'shop.example' needs the permission .* %(permission%)$",
        fail(name, "table").error)
    end)
  end
end)
