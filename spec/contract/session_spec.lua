local host = require "spec.support.host"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

-- Counts in its session, and answers with the count.
local MAIN = [[
  local p = parley.plugin()
  p.on.command("%s", function(c, word)
    if word == "end" then c:finish() return c:reply "over" end
    c.session.count = (c.session.count or 0) + 1
    if word == "wrong" then c.session.count = "many" end
    if word == "ask" then c:enter "waiting" end
    c:reply(tostring(c.session.count))
  end)
  p.on.state("waiting", function(c) c:leave() c:reply "heard" end)
  return p
]]

local function plugin(name, session)
  return { manifest = { session = session }, main = MAIN:format(name) }
end

describe("a session", function()
  local h
  setup(function()
    h = host.start { plugins = {
      plain = plugin("plain", nil),
      brief = plugin("brief", { ttl = 60 }),
      mine = plugin("mine", { scope = "user", ttl = 3600 }),
      strict = plugin("strict", {
        schema = { type = "object", properties = { count = { type = "integer", maximum = 2 } },
          additionalProperties = false },
      }),
    } }
  end)
  teardown(function() h:stop() end)

  local function ask(dialog, text, user)
    local r = h:say(dialog, text, { user = { external_id = user or "alice" } })
    assert.equal(200, r.status)
    return r.body.text
  end

  it("is of one dialog", function()
    assert.same({ "1", "2", "1" }, { ask("a", "/plain"), ask("a", "/plain"), ask("b", "/plain") })
  end)

  it("ends when its time has passed since the last answer", function()
    assert.equal("1", ask("c", "/brief"))
    time.advance(40)
    assert.equal("2", ask("c", "/brief"))
    time.advance(40)
    assert.equal("3", ask("c", "/brief ask"))
    time.advance(61)
    -- Nobody waits for the next message any more.
    assert.not_equal("heard", ask("c", "hello"))
    assert.equal("1", ask("c", "/brief"))
  end)

  it("of a user is the same in all dialogs, and of nobody else", function()
    assert.same({ "1", "2", "3" }, { ask("d", "/mine"), ask("e", "/mine"), ask("d", "/mine") })
    assert.equal("1", ask("f", "/mine", "bob"))
    assert.equal("over", ask("e", "/mine end"))
    assert.equal("1", ask("d", "/mine"))
    assert.equal(2, h:count "sessions")
    time.advance(3601)
    assert.equal("1", ask("d", "/mine"))
  end)

  it("of a user is counted right by dialogs that go on at the same time", function()
    local tasks, seen = {}, {}
    for i = 1, 12 do
      tasks[i] = task.spawn(function() seen[i] = tonumber(ask("g" .. i, "/mine", "carol")) end)
    end
    for i = 1, 12 do tasks[i]:join() end
    table.sort(seen)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, seen)
  end)

  it("that breaks the schema of its plugin is not kept", function()
    assert.same({ "1", "2" }, { ask("h", "/strict"), ask("h", "/strict") })
    local r = h:say("h", "/strict")
    assert.equal("fallback", r.body.status)
    local row = h.core.db:first("SELECT details FROM audit_logs WHERE source = 'strict' AND action = 'plugin_failed'")
    assert.matches("state.count: ", json.decode(row.details).message)
    h:say("h", "/strict wrong")
    local state = h.core.db:first("SELECT state FROM dialogs WHERE id = 'h'").state
    assert.equal(2, json.decode(state).strict.count)
  end)

  it("with a schema that is none is refused with its plugin", function()
    local manifest = require "parley.plugins.manifest"
    local m, problems = manifest.check(json.encode {
      schema = "v1alpha", name = "odd", version = "1.0.0", api = "1", transport = "lua",
      session = { schema = { type = "object", propertys = {} } },
    })
    assert.is_nil(m)
    assert.matches("session.schema", json.encode(problems))
  end)
end)
