-- host.shelf: values at hand under keys, here in a process that shares them with nobody.

local json = require "host.json"
local shelf = require "host.shelf"

local ROOM = 2016 - 9 -- for a key and one text

describe("the shelf", function()
  local s
  before_each(function() s = assert(shelf.open "spec") end)
  after_each(function() s:close() end)

  local function packed(...) return { n = select("#", ...), ... } end

  it("gives back what was put there, under its key only", function()
    assert.is_true(s:put("key", "text", 1, -0.1, 2 ^ 53, true, false, nil, "", "a\0b", nil))
    assert.same(packed("text", 1, -0.1, 2 ^ 53, true, false, nil, "", "a\0b", nil), packed(s:get "key"))
    assert.same(packed(), packed(s:get "ke"))
    assert.same(packed(), packed(s:get ""))
    assert.is_true(s:put("", "of nobody"))
    assert.equal("of nobody", s:get "")
    assert.is_true(s:put("null", json.null, "behind"))
    assert.same(packed(nil, "behind"), packed(s:get "null"))
    assert.is_true(s:put("nan", 0 / 0))
    local nan = s:get "nan"
    assert.are_not.equal(nan, nan)
    assert.is_true(s:put "nothing")
    assert.same(packed(), packed(s:get "nothing"))
  end)

  it("has the last of what is put under a key, until it is dropped", function()
    s:put("a", 1)
    s:put("b", 1)
    s:put("a", 2)
    assert.equal(2, s:get "a")
    s:drop "a"
    assert.same(packed(), packed(s:get "a"))
    assert.equal(1, s:get "b")
    s:drop "a"
    s:put("a", 3)
    assert.equal(3, s:get "a")
  end)

  it("refuses what is too large, and keeps what was there", function()
    local key = "key"
    assert.is_true(s:put(key, "small"))
    assert.is_true(s:put(key, ("x"):rep(ROOM - #key)))
    assert.is_false(s:put(key, ("y"):rep(ROOM - #key + 1)))
    assert.is_false(s:put(key, ("y"):rep(2 ^ 20)))
    assert.is_false(s:put(key, ("y"):rep(ROOM - #key - 8), 1))
    assert.equal(("x"):rep(ROOM - #key), s:get(key))
    assert.is_false(s:put(("k"):rep(ROOM + 10)))
    assert.is_true(s:put(("k"):rep(ROOM + 9)))
  end)

  it("refuses what cannot be put there", function()
    assert.has_error(function() s:put("key", print) end)
    assert.has_error(function() s:put("key", {}) end)
    assert.has_error(function() s:put() end)
    assert.same(packed(), packed(s:get "key"))
    local many = {}
    for i = 1, 32 do many[i] = i end
    assert.is_true(s:put("many", unpack(many)))
    assert.same(many, { s:get "many" })
    many[33] = 33
    assert.has_error(function() s:put("many", unpack(many)) end)
  end)

  it("forgets the oldest when there is no room, and nothing but what it forgets changes", function()
    local N, there = 50000, 0
    for i = 1, N do assert.is_true(s:put("key " .. i, i, ("%d "):format(i):rep(20))) end
    for i = 1, N do
      local n = s:get("key " .. i)
      if n then
        there = there + 1
        assert.equal(i, n)
      end
    end
    assert.is_true(there > 4096 and there <= 8192, there .. " are there")
    for i = N - 100, N do assert.equal(i, (s:get("key " .. i))) end
  end)

  it("is another one for whoever opens it by another name, or in another place of this process", function()
    s:put("key", "one")
    local other = assert(shelf.open "other")
    assert.is_nil((other:get "key"))
    other:close()
    assert.has_error(function() other:get "key" end, "the shelf is closed")
    other:close()
  end)
end)
