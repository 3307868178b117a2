-- The plugin `language`: what ships, by the test kit.

local kit = require "parley.testkit"

describe("the plugin language", function()
  local bot
  setup(function() bot = kit.start { dir = "plugins/language" } end)
  teardown(function() bot:stop() end)

  it("shows the menu in the language that is chosen", function()
    local menu = bot:say "/language"
    assert.equal("Language: English", menu.text)
    assert.same({ "✓ English", "Русский", "Українська", "Done" }, {
      menu.buttons[1].text, menu.buttons[2].text, menu.buttons[3].text, menu.buttons[4].text,
    })
    local ukrainian = bot:press "Українська"
    assert.equal("Мова: українська", ukrainian.text)
    assert.is_true(ukrainian.actions[1].menu.edit)
    assert.equal("Язык: русский", bot:press("Русский").text)
    assert.same({ { type = "menu", close = true } }, bot:press("Готово").actions)
    assert.equal("Язык: русский", bot:say("/language").text)
    assert.is_nil(bot:last_error())
  end)
end)
