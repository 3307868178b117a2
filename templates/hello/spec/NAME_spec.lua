local kit = require "parley.testkit"

describe("NAME", function()
  local bot
  setup(function() bot = kit.start() end)
  teardown(function() bot:stop() end)

  it("says hello", function()
    assert.equal("Hello, friend! This is your first visit.", bot:say("/NAME").text)
  end)

  it("remembers, and has a button", function()
    assert.equal("Hello, friend! This is visit 2.", bot:press("Again").text)
    assert.equal(2, bot:session().visits)
  end)

  it("is found by what people say", function()
    assert.equal("NAME", bot:say("good morning NAME").plugin.name)
  end)
end)
