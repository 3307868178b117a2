local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("does what only Telegram has", function()
    local reply = bot:say "/telegram"
    assert.same({ "react", "telegram" }, { reply.actions[1].type, reply.actions[2].type })
    assert.equal("Here it rolls.", reply.text)
  end)

  it("answers what has no message", function()
    local function event(name, data)
      local payload = { plugin = "telegram", name = "telegram." .. name, data = data }
      return bot:send({ type = "event", payload = payload }).actions[1]
    end
    assert.equal("answer_inline", event("inline_query", { query = "tea" }).type)
    local answer = event("pre_checkout_query", { invoice_payload = "ham" })
    assert.equal("This was the last one", answer.error)
  end)
end)
