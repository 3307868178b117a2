-- Deliveries about the message of an earlier one, whose number only Telegram knows.

local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local sim = require "parley.sim.telegram"

describe("a delivery about the message of an earlier one", function()
  local s, h, bot, ann, last
  before_each(function()
    s = assert(sim.start())
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann" }
    s:act("limits", { limits = false })
    h = host.start {
      config = ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url()),
    }
    s:act("send", { bot = "shop_bot", user = ann.id, text = "hello" })
    process.eventually("an answer", function() return h.core.db:first "SELECT 1 AS x FROM outbox WHERE state = 'sent'" end)
    last = 0
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  -- Puts deliveries into the outbox, as the turn of another worker does; waits until they are done.
  local function deliver(...)
    local statements = {}
    local first = last + 1
    for _, call in ipairs { ... } do
      last = last + 1
      call[2].chat_id = ann.id
      statements[#statements + 1] = {
        "INSERT INTO outbox (id, sender, dialog_id, lane, method, params, state, attempts, trace_id, created_at) "
          .. "VALUES ($1, 'tg:main', $2, 'reply', $3, $4, 'open', 0, 't', 1)",
        ("d%03d"):format(last), "tg:main:" .. ann.id, call[1], json.encode(call[2]),
      }
    end
    assert(h.core.db:commit(statements))
    assert(h.core.telegram.senders.main:take_up())
    process.eventually("all is sent", function()
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state <> 'open' AND id >= $1 AND id <= $2",
        ("d%03d"):format(first), ("d%03d"):format(last)).n == last - first + 1
    end)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
  end
  local function texts()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return { unpack(out, 2) } -- after the answer to "hello"
  end
  local function edit(text, delivery, id)
    return { "editMessageText", { text = text, message_id = { delivery = delivery, id = id } } }
  end
  local function send(text) return { "sendMessage", { text = text } } end

  it("finds it when it is sent itself, through edits too", function()
    deliver(send "one", edit("two", "d001"), send "other", edit("three", "d002"))
    assert.same({ "three", "other" }, texts())
    deliver(edit("three", "d004"), edit("four", "d005"), { "deleteMessage", { message_id = { delivery = "d003" } } })
    assert.same({ "four" }, texts())
  end)

  it("takes a number that is known", function()
    deliver(send "one")
    local id = tonumber(h.core.db:first("SELECT reference FROM outbox WHERE id = 'd001'").reference)
    assert(h.core.db:commit { { "DELETE FROM outbox WHERE id = 'd001'" } })
    deliver(edit("two", "d001", id), edit("three", "d002"))
    assert.same({ "three" }, texts())
  end)

  it("is sent anew when the message is not known, or cannot be edited any more", function()
    deliver(edit("one", "gone"))
    assert.same({ "one" }, texts())
    local id = tonumber(h.core.db:first("SELECT reference FROM outbox WHERE id = 'd001'").reference)
    deliver({ "deleteMessage", { message_id = id } }, edit("two", "d001"), edit("three", "d003"))
    assert.same({ "three" }, texts())
    local row = h.core.db:first "SELECT method, reference FROM outbox WHERE id = 'd003'"
    assert.equal("sendMessage", row.method)
    assert.not_equal(tostring(id), row.reference)
  end)

  it("takes the buttons away from what cannot be deleted, and is over when there is nothing", function()
    deliver({ "sendMessage", { text = "one", reply_markup = {
      inline_keyboard = { { { text = "Go", url = "https://example.org" } } },
    } } })
    s:act("faults", { kind = "status", method = "deleteMessage", status = 400 }) -- as it does after two days
    deliver { "deleteMessage", { message_id = { delivery = "d001" } } }
    local m = s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages
    assert.equal("one", m[#m].text)
    assert.is_nil(m[#m].reply_markup)
    deliver({ "deleteMessage", { message_id = { delivery = "gone" } } })
  end)
end)
