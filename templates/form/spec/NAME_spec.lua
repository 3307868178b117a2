local kit = require "parley.testkit"

describe("NAME", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("asks until it has what it needs", function()
    assert.equal("What is your name?", bot:say("/NAME").text)
    assert.equal("Hello, Ann! How many of you?", bot:say("Ann").text)
    assert.equal("Please give a whole number.", bot:say("some").text)
    assert.equal("Which day?", bot:say("2").text)
    bot:say "24.12.2030"
    assert.equal("2 guests on 2030-12-24. Right?", bot:press("Dinner").text)
    assert.equal("Thank you, it is noted.", bot:press("Yes").text)
    local kept = bot:session().last
    assert.same({ name = "Ann", guests = 2, day = "2030-12-24", meal = "dinner" }, kept)
  end)

  it("comes back to it a day later", function()
    for _, text in ipairs { "/NAME", "Ann", "1", "24.12.2030", "lunch", "yes" } do bot:say(text) end
    assert.equal("Ann, you were with us yesterday.", bot:advance(24 * 3600)[1].text)
  end)

  it("speaks the user's language", function()
    bot:say("/NAME", { locale = "uk" })
    assert.equal("Вітаю, Їжак! Скільки вас буде?", bot:say("Їжак", { locale = "uk" }).text)
  end)

  it("may be left at any time", function()
    bot:say "/NAME"
    assert.equal("Cancelled.", bot:say("cancel").text)
  end)
end)
