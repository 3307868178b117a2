-- What people send together comes to plugins as one message, once, whatever happens in between.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local join = require "parley.turn.join"
local json = require "host.json"
local sim = require "parley.sim.telegram"

local MAIN = [[
local p = parley.plugin()
p.on.text('.', function(c)
  local m = c.message
  if m.type == 'text' then c:reply(m.text) return end
  local out = { m.type, tostring(m.text) }
  for _, item in ipairs(m.payload.items) do
    out[#out + 1] = item.type .. tostring(item.file_id ~= nil) .. tostring(item.message_id ~= nil) .. tostring(item.text)
  end
  c:reply(table.concat(out, ' '))
end)
p.on.any(function(c) c:reply(c.message.type .. ' ' .. #c.message.payload.items) end)
return p
]]

describe("an album", function()
  local s, h, bot, ann
  local function start(home)
    return host.start {
      home = home, plugins = { talk = { main = MAIN, manifest = { commands = json.array() } } },
      config = ("return { telegram = { token = %q, api = %q }, fallback_plugin = 'talk' }"):format(bot.token, s:url()),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user {}
    h = start()
    s:act("send", { bot = "shop_bot", user = ann.id, text = "hello" }) -- before it a bot may not write
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function answers(n)
    local out
    eventually(n .. " answers", function()
      out = {}
      for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
        if m.from == bot.user and m.text ~= "hello" then out[#out + 1] = m.text end
      end
      return #out >= n
    end)
    return out
  end
  local function album(items) return s:act("album", { bot = "shop_bot", user = ann.id, items = items }) end
  local function photos(n)
    local items = {}
    for i = 1, n do items[i] = { photo = { file_name = i .. ".jpg" } } end
    return items
  end
  local function none_open()
    return h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state <> 'done' OR part_of IS NOT NULL").n == 0
  end

  it("is one message, with what was written after it behind it", function()
    album {
      { photo = { file_name = "1.jpg" } }, { video = { file_name = "2.mp4" }, caption = "both" },
      { photo = { file_name = "3.jpg" } },
    }
    s:act("send", { bot = "shop_bot", user = ann.id, text = "after" })
    assert.same({ "photo both phototruetruenil videotruetrueboth phototruetruenil", "after" }, answers(2))
    assert.is_true(none_open())
    assert.equal(5, h:count "inbox")
  end)

  it("has ten items at most", function()
    album(photos(12))
    assert.same({ "photo 10", "photo 2" }, answers(2))
  end)

  it("is joined from more than one batch, out of order and with repetitions", function()
    -- On a machine with other work the second batch may come late.
    local window = join.WINDOW_S
    join.WINDOW_S = 4
    finally(function() join.WINDOW_S = window end)
    local bot_of = eventually("the bot", function() return h.core.telegram.fleet:get "main" end)
    local function part(id, group)
      return {
        update_id = id, message = {
          message_id = id, chat = { id = ann.id, type = "private" }, from = { id = ann.id, first_name = "Ann" },
          photo = { { file_id = "f" .. id } }, media_group_id = group,
        },
      }
    end
    local function take(...) return h.core.telegram:take(bot_of, { ... }) end
    -- The bot has to know its own name before anything can be for it.
    eventually("the bot is known", function() return bot_of.username end)
    assert.equal(2, take(part(9002, "g"), part(9003, "g")))
    assert.equal(2, take(part(9001, "g"), part(9003, "g"), part(9010, "h")))
    assert.same({ "photo 3", "photo 1" }, answers(2))
    assert.equal(0, take(part(9001, "g"), part(9002, "g")))
    s:act("send", { bot = "shop_bot", user = ann.id, text = "end" })
    assert.same({ "photo 3", "photo 1", "end" }, answers(3))
    local first = h.core.db:first "SELECT payload FROM messages WHERE payload LIKE '%items%' ORDER BY id LIMIT 1"
    assert.equal("f9001", json.decode(first.payload).payload.items[1].file_id)
  end)

  local function left(key, group, items)
    local message = {
      user = { telegram_id = ann.id }, channel = "telegram", type = "photo", message_id = key,
      payload = { file_id = key, group = group, items = items },
    }
    return {
      "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner, part_of) "
        .. "VALUES ('tg:main', $1, $2, 'open', $3, 'x', $4, $5, $6, $7)",
      key, "tg:main:" .. ann.id, json.encode(message), ("a"):rep(32), require("host.time").now_ms(), h.core.cluster.id,
      group, n = 7,
    }
  end

  it("is one message when the host went down between its parts, which come when it is back", function()
    local again = join.AGAIN_S
    join.AGAIN_S = 60 -- it ends when the others have come
    finally(function() join.AGAIN_S = again end)
    local home = h.home
    assert(h.core.db:commit { left("8", "g") })
    h:stop()
    s:act("faults", { kind = "status", status = 502, method = "getUpdates", times = 3 }) -- and it is slow to come back
    h = start(home)
    for _ = 1, 2 do
      s:act("send", { bot = "shop_bot", user = ann.id, photo = { file_name = "x.jpg" }, media_group_id = "g" })
    end
    s:act("send", { bot = "shop_bot", user = ann.id, text = "after" })
    assert.same({ "photo 3", "after" }, answers(2))
    eventually("nothing is left", none_open)
  end)

  it("is a message of what there is when nothing more comes after the crash", function()
    local again = join.AGAIN_S
    join.AGAIN_S = 1
    finally(function() join.AGAIN_S = again end)
    local home = h.home
    assert(h.core.db:commit { left("8", "g"), left("9", "g") })
    h:stop()
    h = start(home)
    assert.same({ "photo 2" }, answers(1))
    s:act("send", { bot = "shop_bot", user = ann.id, photo = { file_name = "x.jpg" }, media_group_id = "g" })
    assert.same({ "photo 2", "photo 1" }, answers(2))
    eventually("nothing is left", none_open)
  end)

  it("does not wait anew for each of several that a crash has left in a chat", function()
    local again = join.AGAIN_S
    join.AGAIN_S = 8
    finally(function() join.AGAIN_S = again end)
    local home, parts, expected = h.home, {}, {}
    for i = 1, 8 do parts[i], expected[i] = left(tostring(i), "g" .. i), "photo 1" end
    assert(h.core.db:commit(parts))
    h:stop()
    h = start(home)
    assert.same(expected, answers(8))
  end)

  it("is one message after a crash, too, whether it was joined before or not", function()
    local again, home = join.AGAIN_S, h.home
    join.AGAIN_S = 1
    finally(function() join.AGAIN_S = again end)
    local whole = left("7", nil, json.array { {}, {} })
    whole[6] = whole[6] - 1
    assert(h.core.db:commit { left("8", "g"), left("9", "g"), left("10", "g"), whole })
    h:stop()
    h = start(home)
    assert.same({ "photo 2", "photo 3" }, answers(2))
    eventually("nothing is left", none_open)
  end)
end)
