local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start { config = { currency = "EUR" } } end)
  after_each(function() bot:stop() end)

  it("adds up orders", function()
    assert.equal('{"total":3}', bot:say('/plugin {"price":3}').text)
    assert.equal('{"total":5}', bot:say('/plugin {"price":2}').text)
    assert.matches("^JSON expected: ", bot:say("/plugin tea").text)
  end)
end)
