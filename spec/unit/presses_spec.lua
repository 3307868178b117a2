-- Presses that have to be answered in time, and signs that a bot is typing: who does what, and when.

local eventually = require "spec.support.eventually"
local presses = require "parley.channels.telegram.presses"
local task = require "host.task"
local time = require "host.time"
local typing = require "parley.channels.telegram.typing"

-- A client that notes its calls, and answers with what `reply` gives.
local function fake(reply)
  local self = { calls = {} }
  self.call = function(_, method, params)
    self.calls[#self.calls + 1] = { method = method, params = params }
    return (reply or function() return true end)(#self.calls)
  end
  return self
end

local function updates(...)
  local out = {}
  for i, id in ipairs { ... } do out[i] = { update_id = i, callback_query = { id = id } } end
  return out
end

describe("a press", function()
  local function open(reply)
    local client = fake(reply)
    return presses.new { after = 5, api = function() return client end, log = function() end }, client
  end
  local function answered(client, n) eventually("answers", function() return #client.calls == n end) end

  it("is answered when nobody has, once, and not before its time", function()
    local p, client = open()
    local before = time.mono()
    assert.is_true(p:note("main", updates("a", "b")))
    assert.is_false(p:note("main", updates "a"))
    assert.is_true(p:tick(before + 4))
    assert.equal(0, #client.calls)
    p:tick(time.mono() + 6)
    answered(client, 2)
    assert.equal("a", client.calls[1].params.callback_query_id)
    p:tick(time.mono() + 60)
    task.sleep(0)
    assert.equal(2, #client.calls)
    assert.is_false(p:claim "a")
  end)

  it("that a turn answers is left alone, for as long as that may take", function()
    local p, client = open()
    local before = time.mono()
    p:note("main", updates("a", "b"))
    assert.is_true(p:claim "a")
    p:done "a"
    assert.is_true(p:claim "b")
    p:tick(before + 4.9)
    p:tick(time.mono() + 5.1) -- "b": its turn was begun, and is not stored
    task.sleep(0)
    answered(client, 1)
    assert.equal("b", client.calls[1].params.callback_query_id)
    p:tick(time.mono() + 60)
    task.sleep(0)
    assert.equal(1, #client.calls)
  end)

  it("that nobody has noted may be answered", function()
    local p = open()
    assert.is_true(p:claim "a")
    p:done "a"
    assert.is_false(p:note("main", { { update_id = 1, message = {} }, { callback_query = { id = 5 } } }))
  end)

  it("waits for others when there are very many", function()
    local gate = task.cond()
    local p, client = open(function()
      gate:wait(30)
      return true
    end)
    local ids = {}
    for i = 1, 100 do ids[i] = "q" .. i end
    p:note("main", updates(unpack(ids)))
    p:tick(time.mono() + 6)
    answered(client, 30)
    assert.is_true(p:tick(time.mono() + 6))
    task.sleep(0)
    assert.equal(30, #client.calls)
    eventually("all", function()
      gate:broadcast()
      p:tick(time.mono() + 6)
      return #client.calls == 100
    end)
    gate:broadcast()
  end)
end)

describe("typing", function()
  local function open(reply)
    local client = fake(reply)
    return typing.new { after = 1, api = function() return client end }, client
  end

  it("is shown from a time on, again and again, and not after the end", function()
    local t, client = open()
    local key, before = {}, time.mono()
    t:enter(key, "tg:main:7:3")
    t:tick(before + 0.5)
    task.sleep(0)
    assert.equal(0, #client.calls)
    local shown = time.mono() + 1.5
    t:tick(shown)
    eventually("a sign", function() return #client.calls == 1 end)
    assert.same({ chat_id = 7, message_thread_id = 3, action = "typing" }, client.calls[1].params)
    t:tick(shown + 1.5)
    task.sleep(0)
    assert.equal(1, #client.calls)
    t:tick(shown + 30)
    eventually("another sign", function() return #client.calls == 2 end)
    t:leave(key)
    assert.is_false(t:tick(time.mono() + 60))
    assert.is_false(t:now(key))
  end)

  it("is left to chats that refuse it", function()
    local t, client = open(function() return nil, { code = "forbidden", retryable = false } end)
    local key = {}
    t:enter(key, "tg:main:7")
    t:tick(time.mono() + 2)
    eventually("a sign", function() return #client.calls == 1 end)
    t:tick(time.mono() + 600)
    assert.is_true(t:now(key))
    task.sleep(0)
    assert.equal(1, #client.calls)
  end)

  it("is cut off by the end of its turn, and gives its place to others", function()
    local cut = 0
    local t, client = open(function(n)
      task.sleep(n <= 20 and 30 or 0)
      cut = cut + 1
      return true
    end)
    local keys = {}
    for i = 1, 25 do
      keys[i] = {}
      t:enter(keys[i], "tg:main:" .. i)
    end
    t:tick(time.mono() + 2)
    eventually("as many as may be", function() return #client.calls == 20 end)
    t:tick(time.mono() + 2)
    task.sleep(0)
    assert.equal(20, #client.calls)
    for i = 1, 25 do
      if t.turns[keys[i]].call then t:leave(keys[i]) end
    end
    t:tick(time.mono() + 2)
    eventually("the others", function() return cut == 5 end)
  end)
end)
