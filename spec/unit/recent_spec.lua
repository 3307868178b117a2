-- The latest lines about plugins: bounded, told apart, redacted.

local recent = require "parley.ops.recent"

local function messages(found)
  local out = {}
  for i, line in ipairs(found.lines) do out[i] = line.msg end
  return table.concat(out, " ")
end

describe("the latest lines about plugins", function()
  it("are those that fit the question, the oldest first", function()
    local r = recent.new()
    r:add("info", "a", { plugin = "shop", dialog_id = "d1" })
    r:add("debug", "b", { plugin = "shop", dialog_id = "d1" })
    r:add("error", "c", { plugin = "shop", dialog_id = "d2" })
    r:add("warn", "d", { plugin = "faq" })
    assert.equal("a c d", messages(r:read { limit = 10 }))
    assert.equal("a b c d", messages(r:read { limit = 10, level = "debug" }))
    assert.equal("c d", messages(r:read { limit = 10, level = "warn" }))
    assert.equal("a b c", messages(r:read { limit = 10, level = "debug", plugin = "shop" }))
    assert.equal("a", messages(r:read { limit = 10, dialog = "d1" }))
    local last = r:read { limit = 1 }
    assert.same({ "d", 2 }, { messages(last), last.left_out })
    assert.equal("faq", last.lines[1].plugin)
    assert.equal("", messages(r:read { limit = 10, since_ms = 4e12 }))
    assert.same({ 4, 3, 0 }, { r:size(), r:size "shop", r:size "nobody" })
  end)

  it("go on after those of an answer before, and begin anew with another worker", function()
    local r = recent.new()
    r:add("info", "a", { plugin = "shop" })
    local first = r:read { limit = 10 }
    r:add("info", "b", { plugin = "shop" })
    assert.equal("b", messages(r:read { limit = 10, after = first }))
    local another = recent.new()
    another:add("info", "c", { plugin = "shop" })
    assert.equal("c", messages(another:read { limit = 10, after = r:read { limit = 10 } }))
  end)

  it("of one plugin push out its own, debug before what matters", function()
    local r = recent.new { of_one = 3 }
    r:add("error", "kept", { plugin = "shop" })
    for i = 1, 9 do r:add("debug", "d" .. i, { plugin = "shop" }) end
    assert.equal("kept d7 d8 d9", messages(r:read { limit = 10, level = "debug" }))
    for i = 1, 9 do r:add("info", "i" .. i, { plugin = "shop" }) end
    assert.equal("i7 i8 i9", messages(r:read { limit = 10 }))
  end)

  it("are bounded in number and in bytes: who has most loses first", function()
    local r = recent.new { lines = 5 }
    r:add("info", "quiet", { plugin = "faq" })
    for i = 1, 9 do r:add("info", "n" .. i, { plugin = "shop" }) end
    assert.equal("quiet n6 n7 n8 n9", messages(r:read { limit = 10 }))
    local small = recent.new { bytes = 2000 }
    for i = 1, 9 do small:add("info", "n" .. i, { plugin = "shop", fields = { text = ("x"):rep(700) } }) end
    assert.equal("n8 n9", messages(small:read { limit = 10 }))
    assert.is_true(small.bytes <= 2000)
    assert.equal("n9", messages(small:read { limit = 10, bytes = 1000 }))
  end)

  it("leave nothing behind when they have gone", function()
    local r = recent.new { lines = 1 }
    for i = 1, 50 do r:add("info", "x", { plugin = "p" .. i }) end
    local names = 0
    for _ in pairs(r.lists) do names = names + 1 end
    assert.same({ 1, 1 }, { names, r.count })
  end)

  it("are redacted as the log is", function()
    local r = recent.new()
    r:add("info", "got Bearer abcdefghijklmnopqrstuvwxyz", {
      plugin = "shop", fields = { password = "hunter2", url = "https://me:pass1@shop.example" },
    })
    local line = r:read({ limit = 1 }).lines[1]
    assert.equal("got Bearer [redacted]", line.msg)
    assert.same({ password = "[redacted]", url = "https://me:[redacted]@shop.example" }, line.fields)
  end)
end)
