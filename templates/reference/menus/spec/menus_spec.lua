local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("shows how things are", function()
    assert.equal("Tea: 0", bot:say("/menus").text)
    assert.equal("Tea: 1", bot:press("+").text)
    assert.equal("To Kyiv", bot:press("To").text)
    assert.equal("Tea: 1", bot:press("Back").text)
    bot:say "/menus end"
  end)

  it("brings buttons in the place of the keyboard", function()
    local reply = bot:say "/menus keys"
    assert.same({ "Here you are.", "/menus" }, { reply.text, reply.buttons[1].text })
  end)
end)
