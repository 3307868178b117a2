local kit = require "parley.testkit"

describe("the example", function()
  local bot
  before_each(function() bot = kit.start() end)
  after_each(function() bot:stop() end)

  it("sends a file that it has made", function()
    local reply = bot:say "/files"
    assert.equal("All orders", reply.text)
    assert.equal("string", type(reply.actions[1].document.file))
  end)

  it("says when it cannot have one", function()
    local reply = bot:send { type = "document", payload = { plugin = "files", file_id = "x" } }
    assert.is_true(#reply.text > 0)
  end)
end)
