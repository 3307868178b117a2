-- The action `invoke`: a plugin has another one answer, in the same turn and transaction.

local host = require "spec.support.host"
local json = require "host.json"

local function plugin(main, manifest)
  return { main = "local p = parley.plugin()\n" .. main .. "\nreturn p", manifest = manifest }
end

local function asks(name, target, manifest)
  return plugin(("p.on.command(%q, function(c) c:reply 'before' c:invoke(%s) c:reply 'after' end)\np.on.any(function(c)"
    .. " c:reply(%q .. (c.invoked_by and ' by ' .. c.invoked_by or '')) c:invoke(%s) end)"):format(name, target, name, target),
    manifest)
end

describe("the action invoke", function()
  local h
  setup(function()
    h = host.start { plugins = {
      desk = asks("desk", "'price'"),
      price = plugin([[
        p.on.intent("price.ask", function(c) c:reply("intent " .. c.intent.source) end)
        p.on.any(function(c)
          c.session.asked = (c.session.asked or 0) + 1
          c:reply { text = "asked " .. c.session.asked .. " by " .. tostring(c.invoked_by),
            buttons = { { { text = "Buy", data = { buy = 1 } } } } }
          c:schedule { ["in"] = 3600, job = "remind" }
        end)
        p.on.job("remind", function() end)
        p.on.callback({ buy = "int" }, function(c) c:reply "bought" end)]],
        { intents = { { name = "price.ask", threshold = 1 } }, permissions = { "jobs" } }),
      by_intent = asks("by_intent", "{ intent = 'price.ask' }"),
      ghost = asks("ghost", "'nobody'"),
      waiting = asks("waiting", "'holds'"),
      holds = plugin [[
        p.on.any(function(c) c:reply 'yes?' c:enter 'asking' end)
        p.on.state('asking', function(c) c:reply 'held' c:leave() end)]],
      one = asks("one", "'two'"), two = asks("two", "'one'"),
      d1 = asks("d1", "'d2'"), d2 = asks("d2", "'d3'"), d3 = asks("d3", "'d4'"), d4 = asks("d4", "'d5'"),
      d5 = plugin "p.on.any(function(c) c:reply 'too deep' end)",
      wide = plugin "p.on.command('wide', function(c) for _ = 1, 9 do c:invoke 'holds' end end)",
      off = plugin "p.on.any(function(c) c:reply 'off' end)",
      to_off = asks("to_off", "'off'"),
      broken = plugin("p.on.any(function(c) error 'broken' end)", { on_error = "reply" }),
      to_broken = asks("to_broken", "'broken'"),
      strict = asks("strict", "'nobody'", { on_error = "stop" }),
      picky = plugin "",
      to_picky = asks("to_picky", "'picky'"),
    }, config = "return { plugins = { off = { enabled = false } } }" }
  end)
  teardown(function() h:stop() end)

  local function texts(r)
    local out = {}
    for i, action in ipairs(r.body.actions) do out[i] = action.text end
    return table.concat(out, " | ")
  end

  local function problem_of(r, name)
    local row = h.core.db:first("SELECT details, severity FROM audit_logs WHERE trace_id = $1 AND source = $2 "
      .. "AND action = 'plugin_failed'", r.body.trace_id, name)
    return row and json.decode(row.details).message
  end

  it("puts the other's answer in its place, with its own session, buttons and jobs", function()
    local r = h:say("d", "/desk")
    assert.equal("before | asked 1 by desk | after", texts(r))
    assert.equal("before\n\nasked 1 by desk\n\nafter", r.body.text)
    assert.equal("answered", r.body.status)
    assert.equal("desk", r.body.plugin.name)
    assert.equal("price", r.body.actions[2].buttons[1][1].plugin)
    assert.equal("before | asked 2 by desk | after", texts(h:say("d", "/desk")))
    assert.equal("bought", h:say("d", nil, { type = "callback", payload = { plugin = "price", data = { buy = 1 } } }).body.text)
    assert.equal("price", h.core.db:first("SELECT plugin FROM jobs WHERE trace_id = $1", r.body.trace_id).plugin)
    local calls = h.core.db:query("SELECT plugin_id, status FROM plugin_calls WHERE trace_id = $1 ORDER BY id", r.body.trace_id)
    table.sort(calls, function(a, b) return a.plugin_id < b.plugin_id end)
    assert.same({ { plugin_id = "desk", status = "ok" }, { plugin_id = "price", status = "ok" } }, calls)
  end)

  it("finds a plugin by intent", function()
    assert.equal("before | intent plugin | after", texts(h:say("i", "/by_intent")))
  end)

  it("hands a conversation over", function()
    assert.equal("before | yes? | after", texts(h:say("w", "/waiting")))
    assert.equal("held", h:say("w", "anything").body.text)
  end)

  it("refuses loops, and one that goes too deep; the one that asked has failed", function()
    local r = h:say("l", "/one")
    assert.matches("^before | two by one | ", (texts(r)))
    assert.matches("| after$", (texts(r)))
    assert.equal("invoke: one would be invoked in a loop", problem_of(r, "two"))
    assert.equal("fallback", r.body.status)
    r = h:say("l", "/d1")
    assert.matches("^before | d2 by d1 | d3 by d2 | d4 by d3 | ", (texts(r)))
    assert.is_nil(texts(r):find("too deep", 1, true))
    assert.equal("at most 3 plugins may be invoked inside one another", problem_of(r, "d4"))
  end)

  it("refuses more than eight in one turn", function()
    local r = h:say("wide", "/wide")
    local n = 0
    for i, action in ipairs(r.body.actions) do
      -- Each sees what the one before has kept.
      n = n + (action.text == (i % 2 == 1 and "yes?" or "held") and 1 or 0)
    end
    assert.equal(8, n)
    assert.equal("invoke: at most 8 in one turn", problem_of(r, "wide"))
  end)

  it("finds nobody who is not there, is disabled or declines", function()
    local r = h:say("g", "/ghost")
    assert.equal("invoke: no plugin that is enabled can take the plugin 'nobody' here", problem_of(r, "ghost"))
    assert.equal("ghost", r.body.plugin.name)
    assert.equal("fallback", r.body.status)
    r = h:say("g", "/to_off")
    assert.is_nil(texts(r):find("off by", 1, true))
    assert.equal("invoke: no plugin that is enabled can take the plugin 'off' here", problem_of(r, "to_off"))
    assert.equal("invoke: picky has declined", problem_of(h:say("g", "/to_picky"), "to_picky"))
  end)

  it("goes by the on_error of the one that has failed", function()
    local r = h:say("e", "/to_broken")
    assert.equal("before | That did not work just now. Please try again later. | after", texts(r))
    assert.equal("failed", r.body.status)
    r = h:say("e", "/strict")
    assert.equal("before | after", texts(r))
    assert.equal("answered", r.body.status)
  end)

  it("names one of plugin and intent", function()
    local own = host.start { plugins = { bad = plugin [[
      p.on.command("bad", function(c) local ok, e = pcall(c.invoke, c, { plugin = "x", intent = "y" }) c:reply(e) end)]] } }
    assert.matches("invoke: the name of a plugin, or { intent = name }, expected", own:say("x", "/bad").body.text)
    own:stop()
    local actions = require "parley.schema.actions"
    assert.equal("'plugin' or 'intent' is needed, not both", actions.problem { type = "invoke" })
    assert.equal("'plugin' or 'intent' is needed, not both", actions.problem { type = "invoke", plugin = "a", intent = "b" })
    assert.is_nil(actions.problem { type = "invoke", intent = "b" })
  end)
end)
