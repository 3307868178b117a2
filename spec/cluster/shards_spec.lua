-- How the workers share the bots: each bot has one of them at most, at every moment.

local cluster = require "parley.cluster"
local config = require "parley.config"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local shards = require "parley.channels.telegram.shards"
local store = require "parley.store"
local task = require "host.task"

local BOTS = 60

describe("workers that share bots", function()
  local db, members, bots, working, twice

  before_each(function()
    local home = host.temp_dir()
    db = assert(store.open(assert(config.load(home, { getenv = database.environment(home) }))))
    members, bots, working, twice = {}, {}, {}, nil
    for i = 1, BOTS do
      local name = "bot" .. i
      bots[name] = { name = name, state = "active" }
    end
  end)
  after_each(function()
    for _, m in ipairs(members) do
      m.shards:close()
      m.cluster:close()
    end
    db:close()
  end)

  -- A runner that says who works, and when two do.
  local function runner(id, bot, lease)
    local r = { bot = bot, state = "polling", lease = lease }
    function r.start()
      if working[bot.name] then twice = bot.name end
      working[bot.name] = id
      return true
    end
    function r.stop_polling()
      if working[bot.name] == id then working[bot.name] = nil end
    end
    function r.stop() r.stop_polling() end
    function r.drain() r.stop_polling() end
    return r
  end
  local function member(id)
    local c = cluster.new { db = db, id = id, log = function() end }
    c.shared = true -- also on a database in a file they behave as if they shared it
    local s = shards.new {
      cluster = c, each = function() return pairs(bots) end, take_up = function() end,
      open = function(bot, lease) return runner(id, bot, lease) end,
    }
    local m = { cluster = c, shards = s }
    members[#members + 1] = m
    assert(c:begin())
    s:begin()
    return m
  end
  local function shares()
    local out, all = {}, 0
    for _, id in pairs(working) do
      out[id], all = (out[id] or 0) + 1, all + 1
    end
    return out, all
  end
  local function held(m)
    local n = 0
    for _ in pairs(m.shards.held) do n = n + 1 end
    return n
  end

  it("has one worker have them all, and give away what another one is to have", function()
    local a = member "a"
    eventually("a has all", function() return (shares()).a == BOTS end)
    local b = member "b"
    eventually("they share", function()
      local _, all = shares()
      return held(a) == 8 and held(b) == 8 and all == BOTS
    end)
    assert.is_nil(twice)
  end)

  it("has the others take over when one stops in order", function()
    local a, b = member "a", member "b"
    eventually("they have all", function() return select(2, shares()) == BOTS end)
    a.shards:close()
    a.cluster:close()
    eventually("b has all", function() return (shares()).b == BOTS end)
    assert.equal(16, held(b))
    assert.is_nil(twice)
  end)

  it("has one that is cut off end by itself, before another one begins", function()
    local a = member "a"
    eventually("a has all", function() return (shares()).a == BOTS end)
    a.cluster.runner:cancel() -- it renews nothing, and does not know
    member "b"
    eventually("b has all", function() return (shares()).b == BOTS end)
    assert.is_nil(twice)
  end)

  it("begins with nothing after it has been stopped", function()
    local a = member "a"
    eventually("a has all", function() return (shares()).a == BOTS end)
    a.shards:stop()
    assert.same({}, (shares()))
    bots.late = { name = "late", state = "active" }
    a.shards:follow { bot = bots.late, again = true }
    a.shards:follow { bot = bots.bot1, again = true }
    task.sleep(1.5) -- what leads a lease is called again after a second
    assert.same({}, (shares()))
  end)
end)
