-- What has had its time is never seen, and does not stay: sessions, conversations, menus.

local host = require "spec.support.host"
local json = require "host.json"
local sweep = require "parley.store.sweep"
local time = require "host.time"

local MAIN = [[
local p = parley.plugin()
p.on.command("%s", function(c, word)
  c.session.n = (c.session.n or 0) + 1
  if word == "ask" then c:enter "waiting" end
  if word == "menu" then return c:menu "main" end
  c:reply(tostring(c.session.n))
end)
p.menu("main", function(c) return { text = "n " .. c.session.n, rows = { { { text = "Go", data = { go = 1 } } } } } end)
p.on.callback({ go = "int" }, function(c) c.session.n = c.session.n + 1 end)
p.on.state("waiting", function(c) c:reply "heard" end)
return p
]]

local function plugin(name, session)
  return { manifest = { session = session, patterns = { "^" .. name .. "!$" } }, main = MAIN:format(name) }
end

local HOUR, DAY = 3600, 86400

describe("what has had its time", function()
  local h
  local function start(config)
    h = host.start { config = config, plugins = {
      plain = plugin("plain", nil), brief = plugin("brief", { ttl = 10 * 60 }),
      mine = plugin("mine", { scope = "user" }),
    } }
  end
  after_each(function() h:stop() end)

  local function say(dialog, text)
    local r = h:say(dialog, text)
    assert.equal(200, r.status, r.text)
    return r.body
  end
  local function stored(dialog)
    local row = h.core.db:first("SELECT state, expires_at FROM dialogs WHERE id = $1", dialog)
    return row.state and json.decode(row.state) or {}, row.expires_at
  end

  it("is a conversation after a day, and the rest of its session stays", function()
    start()
    for _, name in ipairs { "plain", "mine" } do
      say(name, "/" .. name .. " ask")
      assert.equal("heard", say(name, "hello").text)
      time.advance(DAY - 60)
      assert.equal("heard", say(name, "hello").text) -- its answer has made it wait anew
      time.advance(DAY + 1)
      assert.not_equal("heard", say(name, "hello").text)
      assert.not_equal("heard", say(name, name .. "!").text)
      assert.equal("2", say(name, "/" .. name).text)
    end
  end)

  it("is a conversation sooner when the configuration says so", function()
    start "return { conversation_seconds = 60 }"
    say("a", "/plain ask")
    time.advance(61)
    assert.not_equal("heard", say("a", "hello").text)
    assert.is_nil(stored("a").__owner)
  end)

  it("is a session whose plugin does not say, when the configuration does", function()
    start(("return { session_ttl_seconds = %d }"):format(HOUR))
    for _, name in ipairs { "plain", "mine" } do
      say("b", "/" .. name)
      time.advance(HOUR - 1)
      assert.equal("2", say("b", "/" .. name).text)
      time.advance(HOUR + 1)
      assert.equal("1", say("b", "/" .. name).text)
    end
    say("b", "/brief")
    time.advance(601)
    assert.equal("1", say("b", "/brief").text)
  end)

  it("is the menu of a session that is over", function()
    start()
    local shown = say("c", "/brief menu").actions[1].buttons[1][1]
    time.advance(601)
    local pressed = h:request("POST", "/api/v1/dialogs/c/messages", {
      user = { external_id = "alice" }, type = "callback", payload = { plugin = shown.plugin, data = shown.data },
    }).body
    assert.same({ { type = "answer_callback", text = "This menu is out of date." } }, pressed.actions)
  end)

  it("is not shown, and is swept out of dialogs that nobody comes back to", function()
    start()
    say("d", "/brief ask")
    say("d", "/plain")
    say("e", "/brief")
    say("f", "/plain")
    assert.equal(0, sweep.once(h.core.db))
    local _, at = stored "f"
    assert.is_nil(at)
    time.advance(601)
    assert.same({ plain = { n = 1 } }, h:request("GET", "/api/v1/dialogs/d").body.dialog.state)
    assert.truthy(stored("d").brief)
    time.advance(HOUR)
    assert.equal(2, sweep.once(h.core.db))
    local state
    state, at = stored "d"
    assert.same({ plain = { n = 1 } }, state)
    assert.is_nil(at)
    assert.same({}, (stored "e"))
    assert.equal(0, sweep.once(h.core.db))
    assert.equal("2", say("d", "/plain").text)
    assert.equal("1", say("e", "/brief").text)
  end)

  it("is left alone while a worker is in the middle of the dialog", function()
    start()
    say("g", "/brief")
    time.advance(601 + HOUR)
    assert(h.core.db:commit { { "UPDATE dialogs SET lease_owner = 'other' WHERE id = 'g'" } })
    assert.equal(0, sweep.once(h.core.db))
    assert.truthy(stored("g").brief)
    assert(h.core.db:commit { { "UPDATE dialogs SET lease_owner = NULL WHERE id = 'g'" } })
    assert.equal(1, sweep.once(h.core.db))
  end)
end)
