-- What was sampled of a plugin, added up for its author.

local functions = require "parley.plugins.functions"
local profile_report = require "parley.cli.profile_report"

local function stack(us, bytes, line, text)
  return { us = us, samples = 1, bytes = bytes, line = line, stack = text }
end

local function answer(stacks, more)
  local r = { events = 1, event_seconds = 0.5, waits = {}, stacks = stacks, names = {} }
  for key, value in pairs(more or {}) do r[key] = value end
  return r
end

describe("a profile", function()
  it("has for each function what it took itself, and with those that it called", function()
    local report = profile_report.new()
    report:add(answer({
      stack(30, 0, 7, "main.lua:1;main.lua:5"), stack(10, 0, 9, "main.lua:1;main.lua:5"), stack(60, 100, 2, "main.lua:1"),
    }, { names = { ["main.lua:1"] = "on.command shop", ["main.lua:5"] = "price" } }))
    report:add(answer { stack(20, 0, 7, "main.lua:5;main.lua:5;main.lua:5") })
    assert.same({
      {
        name = "on.command shop", at = "main.lua:1", self_us = 60, total_us = 100, self_bytes = 100,
        total_bytes = 100, line = 2,
      },
      { name = "price", at = "main.lua:5", self_us = 60, total_us = 60, self_bytes = 0, total_bytes = 0, line = 7 },
    }, report:functions "us")
    assert.equal(1, #report:functions "bytes")
    assert.same({ 120, 100, 4, 2, 1 }, { report.us, report.bytes, report.samples, report.events, report.event_seconds })
  end)

  it("is stacks for a flame graph", function()
    local report = profile_report.new()
    report:add(answer({
      stack(30, 5, 7, "main.lua:1;main.lua:5"), stack(10, 0, 9, "main.lua:1;main.lua:5"), stack(6, 0, 0, "[sdk]"),
    }, { names = { ["main.lua:1"] = "on.text a;b", ["main.lua:5"] = "price" } }))
    assert.equal("[sdk] 6\non.text a,b (main.lua:1);price (main.lua:5) 40\n", report:collapsed "us")
    assert.equal("on.text a,b (main.lua:1);price (main.lua:5) 5\n", report:collapsed "bytes")
  end)

  it("has what was waited for, the longest first", function()
    local report = profile_report.new()
    report:add(answer({}, { waits = { ["kv.get"] = { calls = 2, seconds = 0.1 }, http = { calls = 1, seconds = 3 } } }))
    report:add(answer({}, { waits = { ["kv.get"] = { calls = 1, seconds = 0.2 } } }))
    local waits = report:waited()
    assert.same({ name = "http", calls = 1, seconds = 3 }, waits[1])
    assert.same({ "kv.get", 3 }, { waits[2].name, waits[2].calls })
  end)
end)

describe("the name of a function", function()
  it("is what its author calls it", function()
    for line, name in pairs {
      ["local function price(n)"] = "price",
      ["function M.total(cart, rates) -- all of it"] = "M.total",
      ["function Cart:add(item)"] = "Cart:add",
      ["  total = function(x) return x end,"] = "total",
      ["local add = function(a, b)"] = "add",
      ['p.on.command("order", function(c, what)'] = "on.command order",
      ["p.on.text('^a (%d+)$', { typing = true }, function(c)"] = "on.text ^a (%d+)$",
      ['  p.conversation "book" (function(c)'] = "conversation book",
      ["p.on.any(function(c)"] = "p.on.any(function(c)",
      ["  return function() end  "] = "return function() end",
      ["table.sort(list, function(a, b) return a.price < b.price and a.name < b.name end)"] =
        "table.sort(list, function(a, b) return a.pric...",
    } do
      assert.equal(name, functions.name(line))
    end
  end)

  it("is found in the files of the plugin", function()
    local name = functions.of { main = "local a\nfunction go() end", lib = { prices = "return function(x) end" } }
    assert.equal("go", name "main.lua:2")
    assert.equal("return function(x) end", name "lib/prices.lua:1")
    assert.equal("(all of the file)", name "main.lua:0")
    for _, frame in ipairs { "main.lua:99", "lib/none.lua:1", "[sdk]", "x" } do assert.is_nil(name(frame)) end
  end)
end)
