local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start { llm = { "Green tea, at 80 degrees." } } end)
  after_each(function() bot:stop() end)

  it("asks the language model", function()
    assert.equal("Green tea, at 80 degrees.", bot:say("/model which tea").text)
    assert.equal("which tea", bot.chats[1].messages[2].content)
  end)
end)
