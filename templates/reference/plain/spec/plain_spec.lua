local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("has letters and days", function()
    assert.equal("чай 8 8 1095 24.12.2030 23", bot:say("/plain чай і ще").text)
  end)
end)
