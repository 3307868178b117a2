-- Sessions and jobs that another version of a plugin has left: migrated once, kept as they are, or dropped.

local host = require "spec.support.host"
local json = require "host.json"
local process = require "spec.support.process"
local time = require "host.time"

-- Keeps a list under `old`; the second version keeps its length under `count`, the third adds a name.
local ONE = [[
local p = parley.plugin()
p.on.command("shop", function(c, word)
  local list = c.session.old or {}
  list[#list + 1] = word
  c.session.old = list
  if word == "later" then c:schedule { ["in"] = 60, job = "ring", data = { words = list } } end
  if word == "ask" then c:enter "asking" end
  c:reply("one " .. #list)
end)
p.on.state("asking", function(c) c:reply "asked" end)
p.on.job("ring", function(c, data) c:reply("ring one " .. #data.words) end)
return p
]]
local STEPS = [[
p.migrate(1, function(data, kind, job)
  if kind == "job" then return { count = #data.words, of = job } end
  data.count, data.old = #data.old, nil
  data.runs = (data.runs or 0) + 1
end)
]]
local TWO = [[
local p = parley.plugin()
]] .. STEPS .. [[
p.on.command("shop", function(c) c:reply(("two %s %s %s"):format(c.session.count, c.session.old, c.session.runs)) end)
p.on.job("ring", function(c, data) c:reply(("ring two %d %s"):format(data.count, data.of)) end)
p.on.state("asking", function(c) c:reply("still asked " .. c.session.count) end)
return p
]]
local THREE = [[
local p = parley.plugin()
]] .. STEPS .. [[
p.migrate(2, function(data) data.name = "shop" return data end)
p.on.command("shop", function(c) c:reply(("three %s %s"):format(c.session.count, c.session.name)) end)
return p
]]

for _, scope in ipairs { "dialog", "user" } do
  describe("a session of a " .. scope .. " that an older version has left", function()
    local h
    before_each(function() h = host.start() end)
    after_each(function() h:stop() end)

    local function deploy(main, version, more)
      local manifest = { data_version = version, session = { scope = scope }, permissions = { "jobs" } }
      for key, value in pairs(more or {}) do manifest[key] = value end
      h:write_plugin("shop", { manifest = manifest, main = main })
      return h.core:reload()
    end

    local function ask(text, dialog) return h:say(dialog or "d", text or "/shop").body.text end

    it("passes through the steps, once", function()
      assert(deploy(ONE))
      ask "/shop a"
      assert.equal("one 2", ask "/shop b")
      assert(deploy(TWO, 2))
      assert.same({ "two 2 nil 1", "two 2 nil 1" }, { ask(), ask() })
      assert(deploy(THREE, 3))
      assert.same({ "three 2 shop", "three 2 shop" }, { ask(), ask() })
    end)

    it("passes through all of them at one time", function()
      assert(deploy(ONE))
      ask "/shop a"
      assert(deploy(THREE, 3))
      assert.equal("three 1 shop", ask())
    end)

    it("is new, and needs no step", function()
      assert(deploy(TWO, 2))
      assert.equal("two nil nil nil", ask())
      assert(deploy((THREE:gsub("c%.session%.name%)%)", "%0 c.session.x = 1")), 3))
      assert.equal("three nil nil", ask())
      assert.equal("three nil nil", ask()) -- of version 3 by now
    end)

    it("stays as it is when a step fails, and passes when it is mended", function()
      assert(deploy(ONE))
      ask "/shop a"
      assert(deploy((TWO:gsub("#data%.old", "nil + 1")), 2, { on_error = "reply" }))
      local r = h:say("d", "/shop").body
      assert.equal("failed", r.status)
      local e = h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed' ORDER BY id DESC LIMIT 1")
      local err = json.decode(e.details)
      assert.equal("exception", err.code)
      assert.matches("^the session of data version 1 cannot be brought to 2, and stays as it is: shop/main.lua:%d+: "
        .. "attempt to perform arithmetic", err.message)
      assert(deploy(TWO, 2))
      assert.equal("two 1 nil 1", ask())
    end)

    it("is refused that a step has made too large, or that breaks the schema", function()
      assert(deploy(ONE))
      ask "/shop a"
      for change, message in pairs {
        ["data.big = ('x'):rep(70000)"] = "70%d%d%d bytes, at most 65536 are allowed",
        ["data.f = function() end"] = "cannot be brought to 2",
        ["return 7"] = "must give a table, not a number",
        ["while true do end"] = "CPU",
        ["data.count = 'many'"] = "state.count: ",
      } do
        local main = TWO:gsub("data%.runs = [^\n]+", function() return change end)
        assert(deploy(main, 2, {
          on_error = "reply", session = {
            scope = scope, schema = { type = "object", properties = { count = { type = "integer" } } },
          },
        }))
        assert.equal("failed", h:say("d", "/shop").body.status, change)
        local e = h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed' ORDER BY id DESC LIMIT 1")
        assert.matches(message, json.decode(e.details).message)
      end
      assert(deploy(TWO, 2))
      assert.equal("two 1 nil 1", ask())
    end)

    it("of a newer one is given as it is, and is not migrated again", function()
      assert(deploy(ONE))
      ask "/shop a"
      assert(deploy(TWO, 2))
      assert.equal("two 1 nil 1", ask())
      assert(deploy(ONE))
      assert.equal("one 1", ask "/shop b") -- count is there, too
      assert(deploy(TWO, 2))
      assert.matches("^two 1 table 1$", ask())
    end)

    it("of a newer one is dropped where the manifest says so", function()
      assert(deploy(TWO, 2))
      assert(deploy((TWO:gsub("c:reply%(%(\"two", "c.session.count = 5 %0")), 2))
      ask()
      assert(deploy(ONE, nil, { session = { scope = scope, newer = "reset" } }))
      assert.equal("one 1", ask "/shop b")
      assert(deploy(TWO, 2))
      assert.equal("two 1 nil 1", ask())
    end)

    it("keeps its conversation", function()
      assert(deploy(ONE))
      ask "/shop ask"
      assert(deploy(TWO, 2))
      assert.equal("still asked 1", ask "hello")
    end)
  end)
end

describe("a job that an older version has scheduled", function()
  local h
  before_each(function() h = host.start() end)
  after_each(function() h:stop() end)

  local function deploy(main, version)
    h:write_plugin("shop", { manifest = { data_version = version, permissions = { "jobs" } }, main = main })
    assert(h.core:reload())
  end

  local function last()
    local messages = h:request("GET", "/api/v1/dialogs/d").body.messages
    local action = messages[#messages].payload.actions
    return action and action[1] and action[1].text
  end

  local function fire()
    time.advance(61)
    h.core.jobs:wake()
  end

  it("gets its data through the steps", function()
    deploy(ONE)
    h:say("d", "/shop later")
    deploy(TWO, 2)
    fire()
    process.eventually("it rings", function() return last() == "ring two 1 ring" end)
  end)

  it("is tried again with its own data when a step fails", function()
    deploy(ONE)
    h:say("d", "/shop later")
    deploy((TWO:gsub("if kind == \"job\" then", "%0 error 'not yet'")), 2)
    fire()
    process.eventually("it has failed", function()
      return h.core.db:first("SELECT attempts FROM jobs").attempts == 1
    end)
    assert.matches("the data of the job 'ring' of data version 1 cannot be brought to 2, and stays as it is: "
        .. "shop/main.lua:3: not yet",
      h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed'").details)
    deploy(TWO, 2)
    time.advance(61)
    h.core.jobs:wake()
    process.eventually("it rings", function() return last() == "ring two 1 ring" end)
  end)

  it("of a newer one comes as it is", function()
    deploy((TWO:gsub("c:reply%(%(\"two", "c:schedule { ['in'] = 60, job = 'ring', data = { words = { 1, 2 } } } %0")), 2)
    h:say("d", "/shop")
    deploy(ONE)
    fire()
    process.eventually("it rings", function() return last() == "ring one 2" end)
  end)
end)

describe("the steps of a plugin", function()
  it("lead to the version of its manifest, or it is refused", function()
    local h = host.start()
    for message, p in pairs {
      ["main.lua:1: there is no p.migrate(1, ...), and data_version in manifest.json is 2"] = { "", 2 },
      ["main.lua:1: there is no p.migrate(2, ...), and data_version in manifest.json is 4"] = {
        "p.migrate(1, function() end) p.migrate(3, function() end)", 4,
      },
      ["main.lua:1: p.migrate(1, ...) leads to version 2 of its data, and data_version in manifest.json is 1"] = {
        "p.migrate(1, function() end)", 1,
      },
      ["main.lua:2: migrate: the version of the data that it begins from expected, like 1"] = { "p.migrate('1', print)", 1 },
      ["main.lua:2: migrate: a step from version 1 is there"] = {
        "p.migrate(1, function() end) p.migrate(1, function() end)", 2,
      },
    } do
      h:write_plugin("shop", { manifest = { data_version = p[2] }, main = "local p = parley.plugin()\n" .. p[1] .. "\nreturn p" })
      local ok, err = h.core:reload()
      assert.is_nil(ok, message)
      assert.truthy(err.message:find(message, 1, true), err.message)
    end
    -- Who has dropped the oldest steps says what it cannot take.
    h:write_plugin("shop", { main = ONE })
    assert(h.core:reload())
    h:say("d", "/shop a")
    h:write_plugin("shop", {
      manifest = { data_version = 3, on_error = "reply" },
      main = "local p = parley.plugin()\np.migrate(2, function() end)\np.on.command('shop', function(c) c:reply 'x' end)",
    })
    assert(h.core:reload())
    assert.equal("failed", h:say("d", "/shop").body.status)
    assert.matches("there is no p.migrate%(1, ...%)",
      h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed'").details)
    h:stop()
  end)
end)
