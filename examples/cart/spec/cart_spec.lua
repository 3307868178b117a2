local kit = require "parley.testkit"

describe("cart", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  -- The menu that a reply has shown; nil: there was nothing new to show.
  local function menu(reply)
    for _, action in ipairs(reply.actions) do if action.menu then return action end end
  end
  -- Two presses within a second are one.
  local function press(label)
    bot:advance(2)
    return bot:press(label)
  end

  it("takes an order through its menus", function()
    local shop = bot:say "/shop"
    assert.equal("Welcome to the tea shop!", shop.actions[1].text)
    assert.equal("Which tea would you like?", menu(shop).text)
    press "Green tea"
    press "+"
    assert.equal("Green tea\n4 € a pack\n2 packs", press("+").text)
    assert.equal("Cart\n2 × Green tea\n8 € in all", press("2 packs").text)
    assert.equal("Where shall we send it?", press("Order").text)
    assert.equal("2 packs for 8 € go to: Kyiv", bot:say("Kyiv").text)
    assert.same({}, bot:session())
  end)

  it("goes back to where one has come from", function()
    bot:say "/shop"
    press "Black tea"
    press "0 packs"
    assert.equal("Cart\nThere is nothing in it yet.", bot:say("/cart").text)
    assert.equal("Which tea would you like?", press("Back").text)
  end)

  it("shows nothing when nothing changes", function()
    bot:say "/shop"
    press "Herbal tea"
    assert.same({}, press("−").actions)
  end)

  it("knows its keyboard in each language", function()
    bot:stop()
    bot = kit.start { locale = "uk" }
    bot:say "/shop"
    press "Зелений чай"
    press "+"
    assert.equal("Зелений чай\n4 € за пачку\n2 пачки", press("+").text)
    assert.equal("Кошик\n2 × Зелений чай\nРазом 8 €", bot:say("Кошик").text)
  end)
end)
