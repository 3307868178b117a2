-- Many bots of Telegram in one host: they come, change and go while the others work.

local bots = require "parley.store.bots"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local sim = require "parley.sim.telegram"
local task = require "host.task"
local vault = require "parley.auth.vault"

local MAIN = [[
local p = parley.plugin()
p.on.command('say', function(c, text) c:reply(text) end)
return p
]]

describe("bots of a host", function()
  local s, h, ann
  before_each(function()
    s = assert(sim.start { limits = false })
    ann = s.world:add_user { first_name = "Ann" }
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = json.array { { name = "say" } } } } },
      config = ("return { telegram = { api = %q } }"):format(s:url()),
    }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function add(name, more)
    local bot = s.world:add_bot { username = name .. "_bot" }
    local given = { name = name, token = bot.token, transport = "polling", state = "active" }
    for key, value in pairs(more or {}) do given[key] = value end
    assert(h.core.db:commit(bots.insert(given, vault.new(h.core.master))))
    return bot
  end
  local function change(name, set)
    local row = assert(bots.get(h.core.db, name))
    assert(h.core.db:commit(bots.update(row, set, vault.new(h.core.master))))
  end
  local function write(bot, text) assert(s:act("send", { bot = bot.user.username, user = ann.id, text = text })) end
  local function said(bot)
    local out = {}
    for _, m in ipairs(s:view("messages", { bot = bot.user.username, chat = tostring(ann.id) }).messages) do
      if m.from == bot.user then out[#out + 1] = m.text end
    end
    return out
  end
  local function hears(bot, text, all)
    write(bot, "/say " .. text)
    eventually(text .. " is answered", function() return said(bot)[#said(bot)] == text end)
    assert.same(all, said(bot))
  end
  -- Who polls and sends for a bot.
  local function runner(name) return h.core.telegram.shards.runners[name] end

  it("begin when they are added, each in dialogs of its own", function()
    local shop, bank = add "shop", add "bank"
    hears(shop, "one", { "one" })
    hears(bank, "two", { "two" })
    assert.same({ "one" }, said(shop))
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM dialogs").n)
    assert.equal("shop_bot", bots.get(h.core.db, "shop").username)
  end)

  it("are paused, resumed and removed while others work undisturbed", function()
    local shop, bank = add "shop", add "bank"
    hears(shop, "one", { "one" })
    hears(bank, "two", { "two" })
    local undisturbed = runner "bank"
    change("shop", { state = "paused" })
    eventually("it sends no more", function() return not h.core.telegram.senders.shop end)
    write(shop, "/say three")
    assert.equal("paused", h.core.telegram.fleet:get("shop").state)
    local polls = shop.poller
    task.sleep(0.5)
    assert.equal(polls, shop.poller)
    assert.same({ "one" }, said(shop))
    change("shop", { state = "active" })
    eventually("it goes on", function() return #said(shop) == 2 end)
    assert(h.core.db:commit(bots.remove(bots.get(h.core.db, "shop"))))
    eventually("it is gone", function() return not h.core.telegram.fleet:get "shop" end)
    write(shop, "/say four")
    hears(bank, "five", { "two", "five" })
    assert.equal(undisturbed, runner "bank")
    assert.same({ "one", "three" }, said(shop))
  end)
end)
