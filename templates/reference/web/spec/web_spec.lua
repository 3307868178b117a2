local kit = require "parley.testkit"

describe("the example", function()
  local bot
  local shop = "https://shop.example/orders"
  before_each(function()
    bot = kit.start {
      conf = { secrets = { shop = "s3cret" } },
      http = {
        ["GET " .. shop .. "/7"] = { json = { state = "sent" } },
        ["GET " .. shop .. "/8"] = { error = "timeout" },
        ["POST " .. shop] = function(request)
          return { json = { state = request.json.what .. " is noted" } }
        end,
        ["DELETE " .. shop .. "/7"] = { status = 404 },
        ["PATCH " .. shop .. "/7"] = { json = { state = "paid" } },
        ["PUT " .. shop .. "/7"] = { json = { state = "new" } },
        ["HEAD " .. shop] = "",
      },
    }
  end)
  after_each(function() bot:stop() end)

  it("asks another server, with a secret that the plugin does not know", function()
    assert.equal("sent", bot:say("/web 7").text)
    assert.equal("Bearer s3cret", bot.requests[1].headers.Authorization)
    assert.equal("The shop does not answer: timeout", bot:say("/web 8").text)
  end)

  it("has it do something", function()
    assert.equal("tea is noted", bot:say("/web tea").text)
    assert.equal("status 404", bot:say("/web cancel 7").text)
    assert.equal("paid", bot:say("/web paid 7").text)
    assert.equal("new", bot:say("/web again 7").text)
    assert.equal("status 200", bot:say("/web ping").text)
  end)
end)
