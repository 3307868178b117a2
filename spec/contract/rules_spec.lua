local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"

local function rules(h, text)
  assert(fs.mkdir(h.home .. "/conf"))
  assert(fs.write(h.home .. "/conf/rules.lua", text))
  assert(h.core:reload())
end

describe("rules in a turn", function()
  local h
  setup(function()
    h = host.start { plugins = { parrot = {
      main = "local p = parley.plugin() p.on.any(function(c, text) c:reply(c.user.locale .. ' ' .. text) end) return p",
    } } }
  end)
  teardown(function() h:stop() end)

  it("send a message to a plugin", function()
    rules(h, "return { { match = { contains = { 'parrot' } }, route = { plugin = 'parrot' } } }")
    assert.equal("parrot", h:say("d", "a parrot").body.plugin.name)
    assert.equal("text_reply", h:say("d", "a cat").body.plugin.name)
  end)

  it("answer by themselves, or not at all", function()
    rules(h, [[return {
      { name = "hours", match = { text = "^hours" }, route = { reply = "9 to 5", tags = { "faq" } } },
      { match = { text = "^spam" }, route = { drop = true } },
    }]])
    local r = h:say("own", "hours?").body
    assert.equal("answered", r.status)
    assert.equal("9 to 5", r.text)
    assert.is_nil(r.plugin)
    r = h:say("own", "spam spam").body
    assert.equal("answered", r.status)
    assert.same({}, r.actions)
    local row = h.core.db:first("SELECT details FROM audit_logs WHERE action = 'rule_matched' "
      .. "AND details LIKE '%hours%'")
    local details = json.decode(row.details)
    assert.equal("hours", details.rule)
    assert.equal("faq", details.tags[1])
    assert.equal(2, #h.core.db:query("SELECT id FROM messages WHERE dialog_id = 'own' AND sender_type = 'user'"))
  end)

  it("set the language of a message", function()
    rules(h, "return { function(m) if (m.text or ''):find('і') then return { locale = 'uk', plugin = 'parrot' } end end }")
    assert.equal("uk привіт", h:say("lang", "привіт").body.text)
  end)

  it("cost a message nothing when they fail", function()
    rules(h, "return { function(m) if m.text == 'loop' then while true do end end error 'no' end }")
    for _, text in ipairs { "loop", "x", "loop" } do
      local r = h:say("broken", text)
      assert.equal(200, r.status)
      assert.equal("text_reply", r.body.plugin.name)
    end
    local rows = h.core.db:query("SELECT details FROM audit_logs WHERE action = 'rules_failed'")
    assert.equal(3, #rows)
  end)

  it("keep the ones before when the new ones are broken", function()
    rules(h, "return { { match = { text = 'ping' }, route = { reply = 'pong' } } }")
    assert(fs.write(h.home .. "/conf/rules.lua", "return {\n\n  { match = { txt = 'a' }, route = {} } }"))
    local ok, err = h.core:reload()
    assert.is_nil(ok)
    assert.equal("rules", err.code)
    assert.matches("conf/rules.lua", err.message)
    assert.equal("pong", h:say("d", "ping").body.text)
  end)
end)
