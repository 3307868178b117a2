local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("leads through a dialog", function()
    assert.equal("Your name?", bot:say("/dialog").text)
    assert.equal("Hello, Ann", bot:say("Ann").text)
    assert.is_true(bot:session().begun)
    assert.equal("Goodbye.", bot:say("/dialog bye").text)
    assert.is_nil(bot:session().begun)
  end)

  it("hands over", function()
    assert.is_true(#bot:say("/dialog help").text > 0)
    assert.equal("fallback", bot:say("/dialog else").status)
    assert.equal("Somebody will write to you.", bot:say("/dialog person").text)
  end)
end)
