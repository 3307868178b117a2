-- The way in from Telegram: what is taken is durable, what is not is left to Telegram.

local callback = require "parley.channels.telegram.callback"
local intake = require "parley.channels.telegram.intake"
local kinds = require "parley.channels.telegram.update.kinds"
local queue = require "parley.turn.queue"

local BOT = { name = "main", username = "shop_bot" }

describe("the press of a button whose data is kept", function()
  local ERR = { code = "unavailable", message = "the database is away", retryable = true }
  local db, accepted, telegram

  before_each(function()
    accepted = nil
    db = { first = function() return nil, ERR end }
    telegram = {
      db = db, key = "k", log = function() end, users = { of = function() return {} end }, turn = {
        limits = { take = function() end }, manager = { current = { config = { telegram = { access = {} } } } },
        accept = function(_, rows) accepted = rows return {} end,
        queue = queue.new { of_one = 10, of_all = 10 },
      },
    }
  end)

  local function press()
    local data = callback.pack("k", "tg:main:3", { plugin = "shop", data = { go = ("x"):rep(60) } })
    return {
      update_id = 1, callback_query = {
        id = "q", from = { id = 3 }, data = data,
        message = { message_id = 5, chat = { id = 3, type = "private" } },
      },
    }
  end

  it("is not taken while the database is away, and is whole when it is back", function()
    local taken, err = intake.take(telegram, BOT, { press() })
    assert.is_nil(taken)
    assert.equal(ERR, err)
    assert.is_nil(accepted)
    db.first = function() return { plugin = "shop", data = '{"go":"tea"}' } end
    assert.equal(0, intake.take(telegram, BOT, { press() }))
    local payload = accepted[1].message.payload
    assert.same({ "shop", { go = "tea" } }, { payload.plugin, payload.data })
    assert.is_nil(payload.raw)
  end)

  it("keeps what it has brought until it is read", function()
    local message = { payload = { raw = press().callback_query.data } }
    local raw = message.payload.raw
    assert.is_nil(callback.read(db, "k", "tg:main:3", message))
    assert.equal(raw, message.payload.raw)
  end)
end)

describe("an update that cannot be stored", function()
  it("is left out, and the others of its batch are taken", function()
    local stored, said = {}, {}
    local telegram = {
      log = function(_, text) said[#said + 1] = text end, turn = {
        limits = { take = function() end }, manager = { current = { config = { telegram = { access = {} } } } },
        queue = queue.new { of_one = 10, of_all = 10, run = function() return true end },
        accept = function(_, rows)
          for i, row in ipairs(rows) do stored[i] = row.key end
          return rows
        end,
      },
    }
    local deep = {}
    for _ = 1, 200 do deep = { deep } end
    assert.equal(1, intake.take(telegram, BOT, {
      { update_id = 1, poll = { id = ("x"):rep(200000) } },
      { update_id = 2, poll = { id = "5" } },
      { update_id = 3, poll = { deep } },
      { update_id = 4, poll = { id = "\255" } },
    }))
    assert.same({ "2" }, stored)
    assert.equal(3, #said)
  end)
end)

describe("updates that are stored", function()
  it("go before others when somebody waits for it, or another bot has a crowd of them", function()
    local urgent
    local q = queue.new { of_one = 100, of_all = 200, run = function() return true end }
    local telegram = {
      turn = {
        limits = { take = function() end }, manager = { current = { config = { telegram = { access = {} } } } },
        queue = q, accept = function(_, _, is_urgent)
          urgent = is_urgent
          return {}
        end,
      },
    }
    local function take(durable)
      assert.equal(0, intake.take(telegram, BOT, { { update_id = 1, poll = { id = "5" } } }, durable))
      return urgent
    end
    assert.is_false(take())
    assert.is_true(take(function() end))
    q:reserve("tg:other", 60)
    assert.is_true(take())
    q:reserve("tg:main", 60)
    assert.is_false(take())
  end)
end)

describe("what a bot asks Telegram for", function()
  it("is what its plugins want, beside what Telegram brings anyway", function()
    local plugins = {
      { name = "a", manifest = { events = { "telegram.message_reaction", "other" } } },
      { name = "b", manifest = { events = { "telegram.chat_member" } } }, { name = "c", manifest = {} },
    }
    local function has(names, kind)
      for _, k in ipairs(kinds.wanted(plugins, names)) do if k == kind then return true end end
      return false
    end
    assert.is_true(has(nil, "message") and has(nil, "message_reaction") and has(nil, "chat_member"))
    assert.is_false(has(nil, "message_reaction_count"))
    assert.is_true(has({ "b" }, "chat_member"))
    assert.is_false(has({ "b" }, "message_reaction"))
  end)
end)
