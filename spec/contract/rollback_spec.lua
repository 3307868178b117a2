-- Going back to an earlier bundle of a plugin: what serves then, for how long, and what stands in the way.

local bundle = require "parley.plugins.bundle"
local bundles = require "parley.plugins.bundles"
local folder = require "host.folder"
local fs = require "host.fs"
local host = require "spec.support.host"
local process = require "spec.support.process"
local registry = require "parley.plugins.registry"
local task = require "host.task"
local versions = require "parley.plugins.versions"

local ADMIN = "/api/v1/admin/plugins/shop"

local function shop(word, version)
  return {
    manifest = { version = version },
    main = ("local p = parley.plugin()\np.on.command('shop', function(c) c:reply '%s' end)\nreturn p"):format(word),
  }
end

describe("a plugin", function()
  local h, admin
  before_each(function()
    h = host.start { plugins = { shop = shop("one", "1.0.0") } }
    admin = h:client("adm", { "admin" })
  end)
  after_each(function() h:stop() end)

  local function deploy(word, version)
    h:write_plugin("shop", shop(word, version))
    return assert(h.core:reload())
  end

  local function says()
    local r = h:say("d", "/shop")
    return r.body.text .. " " .. r.body.plugin.version
  end

  local function rollback(body)
    local r = admin("POST", ADMIN .. "/rollback", body or {})
    return r.status, r.body
  end

  local function list()
    local r = admin("GET", ADMIN .. "/bundles")
    assert.equal(200, r.status, r.text)
    return r.body.bundles
  end

  it("goes back step by step, whatever the folder says", function()
    deploy("two", "2.0.0")
    deploy("three", "3.0.0")
    assert.equal("three 3.0.0", says())
    local status, body = rollback { reason = "it forgets orders" }
    assert.equal(200, status, body.detail)
    assert.same({ "shop", "2.0.0", true }, { body.plugin_id, body.version, body.pinned })
    assert.equal("two 2.0.0", says())
    assert.equal(200, (rollback()))
    assert.equal("one 1.0.0", says())
    status, body = rollback()
    assert.same({ 409, "conflict" }, { status, body.code })
    assert.matches("nothing has served before bundle %x+ of 'shop'", body.detail)
    deploy("four", "4.0.0") -- a reload is for the other plugins
    assert.equal("one 1.0.0", says())
  end)

  it("goes to a bundle that is named, and follows its folder again", function()
    deploy("two", "2.0.0")
    deploy("three", "3.0.0")
    local seen = {}
    for i, b in ipairs(list()) do seen[i] = { b.version, b.serves, b.pinned, b.here } end
    assert.same({
      { "3.0.0", true, false, true }, { "2.0.0", false, false, true }, { "1.0.0", false, false, true },
    }, seen)
    assert.equal(200, (rollback { to = list()[3].hash:sub(1, 8) }))
    assert.equal("one 1.0.0", says())
    assert.is_true(list()[3].pinned)
    local status, body = rollback { undo = true }
    assert.same({ 200, "3.0.0", false }, { status, body.version, body.pinned })
    assert.equal("three 3.0.0", says())
    assert.same({ 409, "conflict" }, { (rollback { undo = true }), select(2, rollback { undo = true }).code })
    assert.same(409, (rollback { to = "000000" }))
  end)

  it("does so when another plugin, the rules and the settings are broken on the disk", function()
    deploy("two", "2.0.0")
    h:write_plugin("other", { main = "oh no(" })
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/rules.lua", "return {"))
    assert.is_nil((h.core:reload()))
    local status, body = rollback()
    assert.equal(200, status, body.detail)
    assert.equal("one 1.0.0", says())
  end)

  it("leaves what is half written in the other folders alone", function()
    h:write_plugin("other", { main = "local p = parley.plugin()\np.on.command('other', function(c) c:reply 'old' end)" })
    deploy("two", "2.0.0")
    h:write_plugin("other", { main = "local p = parley.plugin()\np.on.command('other', function(c) c:reply 'new' end)" })
    assert.equal(200, (rollback()))
    assert.equal("old", h:say("d", "/other").body.text)
  end)

  it("keeps its intents as often as it is gone back to", function()
    deploy("two", "2.0.0")
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/parley.lua",
      "return { plugins = { shop = { intents = { { name = 'buy', examples = { 'buy a cup' } } } } } }"))
    assert(h.core:reload())
    local function intents() return #h.core.manager.current.chooser.by_name.shop.manifest.intents end
    assert.equal(1, intents())
    for _ = 1, 2 do
      assert.equal(200, (rollback()))
      assert.equal(200, (rollback { undo = true }))
    end
    assert.equal(1, intents())
  end)

  it("follows in another worker, and after a restart", function()
    deploy("two", "2.0.0")
    local other = host.start { home = h.home }
    assert.equal("two", other:say("e", "/shop").body.text)
    assert.equal(200, (rollback()))
    process.eventually("the other worker", function()
      return other:say("e", "/shop").body.text == "one"
    end)
    other:stop()
    other = host.start { home = h.home }
    assert.equal("one", other:say("f", "/shop").body.text)
    other:stop()
  end)

  it("does not follow where it does not fit, and is told there", function()
    h:write_plugin("shop", {
      manifest = { config = { type = "object", additionalProperties = false } }, main = shop("one").main,
    })
    assert(h.core:reload())
    deploy("two", "2.0.0")
    local other = host.start { home = h.home }
    other.core.config.plugins = { shop = { rate = 3 } } -- the settings of this instance
    assert.equal(200, (rollback()))
    local behind = process.eventually("the other worker", function() return other.core:status().behind end)
    assert.matches("plugins.shop.rate: ", behind)
    assert.equal("two", other:say("e", "/shop").body.text)
    assert.equal(200, (rollback { undo = true }))
    process.eventually("it is as it should be", function() return other.core:status().behind == nil end)
    other:stop()
  end)

  it("that another instance has gone back to is missed by name where it is not", function()
    deploy("two", "2.0.0")
    local one = list()[2].hash
    local store = h.home .. "/data/bundles/shop/" .. one
    -- As on a machine that has joined later: the database knows of a bundle that is not there.
    assert(folder.remove(store))
    local status, body = rollback()
    assert.same({ 409, "conflict" }, { status, body.code })
    assert.matches("this instance has no bundle " .. one:sub(1, 12), body.detail)
    assert.equal(0, h:count "plugin_pins")
    -- Another instance, which has it, has gone back.
    assert(h.core.db:commit { versions.pin("shop", one, "token:x") })
    assert(registry.sync(h.core))
    assert.equal("two 2.0.0", says())
    local shown
    for _, p in ipairs(h.core:status().plugins) do if p.name == "shop" then shown = p end end
    assert.is_false(shown.pinned)
    assert.matches("it is to serve bundle " .. one:sub(1, 12) .. ", but: this instance has no bundle", shown.reason)
    deploy("three", "3.0.0")
    assert.equal("two 2.0.0", says())
    -- A reload after somebody has brought it takes it up.
    h:write_plugin("shop", shop("one", "1.0.0"))
    assert.equal(one, assert(bundles.put(h.home, assert(bundle.read(h.home .. "/plugins/shop")))))
    assert(h.core:reload())
    assert.equal("one 1.0.0", says())
  end)

  it("is refused that does not fit any more, and nothing changes", function()
    h:write_plugin("late", { main = "local p = parley.plugin()\np.on.command('late', function(c) c:reply 'late' end)" })
    h:write_plugin("shop", {
      manifest = { version = "2.0.0", commands = { { name = "late2" } } }, main = "local p = parley.plugin()\nreturn p",
    })
    assert(h.core:reload())
    h:write_plugin("late", {
      manifest = { commands = { { name = "shop" } } },
      main = "local p = parley.plugin()\np.on.command('shop', function(c) c:reply 'mine' end)",
    })
    assert(h.core:reload())
    local status, body = rollback()
    assert.same({ 409, "reload_refused" }, { status, body.code })
    assert.matches("the command 'shop' is one of", body.detail)
    assert.equal(0, h:count "plugin_pins")
    assert.equal("mine", h:say("d", "/shop").body.text)
  end)

  it("leaves a trail, and answers a repetition as before", function()
    deploy("two", "2.0.0")
    local key = { ["Idempotency-Key"] = "k" }
    local first = admin("POST", ADMIN .. "/rollback", { reason = "slow" }, key)
    assert.equal(first.text, admin("POST", ADMIN .. "/rollback", { reason = "slow" }, key).text)
    local e = admin("GET", "/api/v1/admin/audit?action=plugin_rolled_back").body.entries
    assert.equal(1, #e)
    assert.matches("^token:", e[1].source)
    assert.same({ "shop", "slow", "1.0.0", first.body.hash },
      { e[1].details.plugin_id, e[1].details.reason, e[1].details.version, e[1].details.hash })
    assert.not_equal(first.body.hash, e[1].details.from)
    rollback { undo = true }
    assert.equal(1, #admin("GET", "/api/v1/admin/audit?action=plugin_unpinned").body.entries)
  end)

  it("keeps as many bundles as the settings say", function()
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/parley.lua", "return { bundles_kept = 2 }"))
    for i = 2, 5 do
      deploy("v" .. i, i .. ".0.0")
      task.sleep(0.02) -- the file system's clock ticks more slowly
    end
    local here = {}
    for i, b in ipairs(list()) do here[i] = b.version .. (b.here and " here" or " gone") end
    assert.same({ "5.0.0 here", "4.0.0 here", "3.0.0 gone", "2.0.0 gone", "1.0.0 gone" }, here)
    assert.equal(409, (rollback { to = list()[3].hash }))
    assert.equal(200, (rollback()))
    assert.equal("v4 4.0.0", says())
  end)

  it("that nobody knows, or that has registered, has nothing to go back to", function()
    assert.equal(404, admin("POST", "/api/v1/admin/plugins/nobody/rollback", {}).status)
    assert.equal(404, admin("GET", "/api/v1/admin/plugins/nobody/bundles").status)
    assert.equal(400, admin("POST", ADMIN .. "/rollback", { to = "../../etc" }).status)
  end)
end)
