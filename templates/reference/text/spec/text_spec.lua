local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("is formatted, whatever users type", function()
    local reply = bot:say "/text <b>me</b>"
    assert.matches("^Receipt for <b>me</b>\n", reply.text)
    local kinds = {}
    for i, entity in ipairs(reply.actions[1].entities) do kinds[i] = entity.type end
    assert.same({
      "bold", "italic", "underline", "strikethrough", "code", "spoiler", "pre", "text_link",
    }, kinds)
    assert.equal("You are welcome", bot:press("Thanks").text)
  end)
end)
