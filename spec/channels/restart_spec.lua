-- A bot that is paused, or given another token, while it sends: what it has to say arrives, once and in order.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"
local vault = require "parley.auth.vault"

local MAIN = [[
local p = parley.plugin()
p.on.command('count', function(c, n) for i = 1, tonumber(n) do c:reply(tostring(i)) end end)
return p
]]

describe("a bot that sends", function()
  local s, h, bot, ann, name
  before_each(function()
    s = assert(sim.start { limits = false })
    bot, ann = s.world:add_bot { username = "shop_bot" }, s.world:add_user { first_name = "Ann" }
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = json.array { { name = "count" } } } } },
      config = ("return { telegram = { api = %q, limits = { paced = false } } }"):format(s:url()),
    }
    name = "shop"
    assert(h.core.db:commit(bots.insert({ name = name, token = bot.token, transport = "polling", state = "active" },
      vault.new(h.core.master))))
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function change(set)
    assert(h.core.db:commit(bots.update(assert(bots.get(h.core.db, name)), set, vault.new(h.core.master))))
  end
  local function heard()
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end
  local function count(n) assert(s:act("send", { bot = "shop_bot", user = ann.id, text = "/count " .. n })) end
  local function until_heard(n) eventually(n .. " messages", function() return #heard() >= n end) end
  local function in_order(n)
    local wanted = {}
    for i = 1, n do wanted[i] = tostring(i) end
    eventually("nothing is open", function()
      return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'open'").n == 0 and #heard() >= n
    end)
    assert.same(wanted, heard())
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM outbox WHERE uncertain = 1").n)
    assert.equal(0, h:count "dead_letters")
  end
  local function sender() return h.core.telegram.senders[name] end
  -- One call at a time, each of which takes a while: there is a queue to be in the middle of, until `quickly`.
  local function slowly() assert(s:act("faults", { kind = "slow", seconds = 1, method = "sendMessage", times = 0 })) end
  local function quickly() assert(s:act "calm") end

  it("stops in the middle of its queue when it is paused, and goes on there", function()
    slowly()
    count(40)
    until_heard(2)
    local before = sender()
    change { state = "paused" }
    eventually("it has ended what it had begun", function() return not sender() and not before:is_busy() end)
    local n = #heard()
    assert.is_true(n < 40, "it has not stopped")
    assert.is_true(h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'open'").n > 0)
    count(1) -- Telegram keeps what is written meanwhile
    quickly()
    change { state = "active" }
    until_heard(41)
    local all = heard()
    assert.equal("1", table.remove(all))
    for i = 1, 40 do assert.equal(tostring(i), all[i]) end
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM outbox WHERE uncertain = 1").n)
  end)

  it("goes on with another token where it was, though calls with the one before were under way", function()
    slowly()
    count(40)
    until_heard(2)
    local before = bot.token
    bot.token = bot.user.id .. ":renewed"
    s.world.by_token[bot.token] = bot -- Telegram knows both for a moment, as the calls that it has begun with
    change { token = bot.token }
    eventually("it has another sender", function() return sender() and h.core.telegram.fleet:get(name).token == bot.token end)
    s.world.by_token[before] = nil
    quickly()
    in_order(40)
  end)

  it("waits when its token was revoked in the middle of its queue, and goes on with the next one", function()
    slowly()
    count(40)
    until_heard(2)
    s.world.by_token[bot.token] = nil
    eventually("it waits", function() return sender() and sender().away end)
    local n = #heard()
    assert.is_true(n < 40)
    quickly()
    bot.token = bot.user.id .. ":renewed"
    s.world.by_token[bot.token] = bot
    change { token = bot.token }
    in_order(40)
  end)
end)
