local kit = require "parley.testkit"

describe("NAME", function()
  local bot
  after_each(function() bot:stop() end)

  it("answers, and remembers what was said", function()
    bot = kit.start { llm = { "Because of **Rayleigh** scattering.", "Red is scattered less." } }
    assert.equal("Because of **Rayleigh** scattering.", bot:say("/NAME why is the sky blue?").text)
    assert.equal("Red is scattered less.", bot:say("/NAME and in the evening?").text)
    assert.equal(4, #bot.chats[2].messages)
    assert.equal("and in the evening?", bot.chats[2].messages[4].content)
  end)

  it("says so when the model is away", function()
    bot = kit.start { llm = function() return nil, "unavailable" end }
    assert.matches("try again later", bot:say("/NAME why?").text)
    assert.same({}, bot:session())
  end)
end)
