local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start { config = { greeting = "Hello" }, locale = "en" } end)
  after_each(function() bot:stop() end)

  it("is talked to as a person does", function()
    local reply = bot:say "/kit"
    assert.same({ "Hello 1", "answered", "kit" }, { reply.text, reply.status, reply.plugin.name })
    assert.equal("More", reply.buttons[1].text)
    assert.equal("That is all.", bot:press("More").text)
    assert.equal("Hello 1", bot:say("/kit", { dialog = "another", user = "bob" }).text)
    assert.equal("Hello 2", bot:send({ type = "text", text = "/kit" }).text)
    assert.equal(2, bot:session().n)
  end)

  it("lives as fast as the spec says", function()
    bot:say "/kit"
    assert.equal("later", bot:jobs()[1].job)
    assert.equal("A minute later.", bot:advance(60)[1].text)
    assert.same({}, bot:jobs())
  end)

  it("says why a handler has failed", function()
    assert.equal("fallback", bot:say("/kit fail").status)
    assert.matches("as you wish", bot:last_error().message)
  end)
end)
