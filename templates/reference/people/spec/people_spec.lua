local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("comes back by itself", function()
    assert.equal("In three minutes.", bot:say("/people").text)
    assert.same({ "ready", "tea" }, { bot:jobs()[1].job, bot:jobs()[1].data.what })
    assert.equal("Ready: tea", bot:advance(180)[1].text)
  end)

  it("comes again until it is taken back", function()
    bot:say "/people daily"
    assert.equal("Ready: the daily tea", bot:advance(24 * 3600)[1].text)
    assert.equal("Ready: the daily tea", bot:advance(24 * 3600)[1].text)
    assert.equal("1 taken back", bot:say("/people stop").text)
    assert.same({}, bot:advance(24 * 3600))
  end)

  it("knows what was said, and other people", function()
    bot:say "/people"
    assert.equal("2 before this", bot:say("/people past").text)
    assert.equal("user_not_found", bot:say("/people tell nobody").text)
    assert.equal("Гаразд.", bot:say("/people uk").text)
  end)
end)
