local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("answers, and logs", function()
    assert.equal("Noted.", bot:say("/logbook 7").text)
    assert.equal("A number, please.", bot:say("/logbook x").text)
    assert.equal("What?", bot:say("/logbook").text)
  end)
end)
