local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("remembers for each user", function()
    assert.equal("Last time: nothing", bot:say("/values").text)
    assert.equal("Last time: tea", bot:say("/values tea").text)
    assert.equal("Last time: tea", bot:say("/values", { dialog = "another" }).text)
    assert.equal("Last time: nothing", bot:say("/values", { user = "somebody else" }).text)
    assert.equal("Last time: nothing", bot:say("/values forget").text)
  end)
end)
