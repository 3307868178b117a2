local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("answers in the language of the user", function()
    assert.equal("Hello, friend!", bot:say("/answering").text)
    assert.equal("Привіт, друже!", bot:say("/answering", { locale = "uk" }).text)
  end)

  it("sends what has a picture and a button", function()
    local reply = bot:say "/answering tea"
    assert.equal("3 things", reply.text)
    assert.equal("https://shop.example/tea.jpg", reply.actions[2].photo.url)
    local function press(data)
      local payload = { plugin = "answering", data = data, message_id = "7" }
      return bot:send({ type = "callback", payload = payload }).actions
    end
    local actions = press { more = "tea" }
    assert.same({ "answer_callback", "edit" }, { actions[1].type, actions[2].type })
    assert.equal("6 things", actions[2].text)
    assert.equal("delete", press({ remove = true })[1].type)
  end)
end)
