local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("takes an order", function()
    assert.equal("How many?", bot:say("/order tea").text)
    assert.equal("2 x tea", bot:say("2").text)
    assert.equal("tea is paid", bot:press("Paid").actions[1].text)
    assert.equal("Still to be paid: tea", bot:advance(600)[1].text)
  end)

  it("answers what fits", function()
    assert.equal("tea is on its way", bot:say("status of tea").text)
    assert.equal("We are here from 9 to 18.", bot:say("when are you open").text)
    assert.equal("I can take orders: /order tea", bot:say("status, please").text)
    local event = { plugin = "handlers", name = "delivered", data = { what = "tea" } }
    assert.equal("tea has arrived", bot:send({ type = "event", payload = event }).text)
  end)

  it("says that something went wrong", function()
    bot:say "/order tea"
    assert.equal("That did not work. Once more?", bot:say("many").text)
  end)
end)
