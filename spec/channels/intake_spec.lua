-- The way in from Telegram: what is taken is durable, what is not is left to Telegram.

local callback = require "parley.channels.telegram.callback"
local intake = require "parley.channels.telegram.intake"
local queue = require "parley.turn.queue"

local BOT = { name = "main", username = "shop_bot" }

describe("the press of a button whose data is kept", function()
  local ERR = { code = "unavailable", message = "the database is away", retryable = true }
  local db, accepted, telegram

  before_each(function()
    accepted = nil
    db = { first = function() return nil, ERR end }
    telegram = {
      db = db, key = "k", turn = {
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
