local kit = require "parley.testkit"

describe("NAME", function()
  local bot
  setup(function()
    bot = kit.start {
      conf = { secrets = { NAME = "k-1" } },
      http = {
        ["GET https://api.example.org/orders/7"] = { json = { status = "on its way" } },
        ["GET https://api.example.org/orders/8"] = { error = "timeout" },
        ["GET https://api.example.org/orders/*"] = { status = 404 },
      },
    }
  end)
  teardown(function() bot:stop() end)

  it("says where an order is, and shows the key to nobody but the server", function()
    assert.equal("Order 7: on its way", bot:say("/NAME 7").text)
    assert.equal("Bearer k-1", bot.requests[1].headers.Authorization)
  end)

  it("says so when there is none, and when nobody can be asked", function()
    assert.equal("There is no order 9.", bot:say("/NAME 9").text)
    assert.matches("try again later", bot:say("/NAME 8").text)
    assert.equal("For example: /NAME 7", bot:say("/NAME seven").text)
  end)
end)
