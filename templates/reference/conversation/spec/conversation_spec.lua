local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("asks until it knows", function()
    assert.equal("Your name?", bot:say("/conversation").text)
    assert.equal("How many of you?", bot:say("Ann").text)
    assert.is_true(#bot:say("forty").text > 0) -- what is wrong with it
    assert.equal("What would you like?", bot:say("4").text)
    assert.equal("Ann, 4, espresso in the blue room?", bot:press("Coffee").text)
    assert.equal("Noted. I will ask you tomorrow.", bot:press("Yes").text)
    assert.equal("How was it, Ann?", bot:advance(24 * 3600)[1].text)
  end)

  it("can be ended", function()
    bot:say "/conversation"
    assert.equal("Then not.", bot:say("cancel").text)
  end)
end)
