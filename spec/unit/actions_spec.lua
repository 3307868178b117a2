local actions = require "parley.schema.actions"

describe("an action", function()
  it("with a keyboard has rows or takes them away, and has no buttons", function()
    local function problem(keyboard, buttons)
      return actions.problem { type = "send", text = "Which?", keyboard = keyboard, buttons = buttons }
    end
    local rows = { { { text = "Tea" } } }
    assert.is_nil(problem { rows = rows, once = true })
    assert.is_nil(problem { remove = true })
    assert.equal("keyboard: 'rows' or 'remove' is needed", problem {})
    assert.equal("keyboard: 'rows' or 'remove' is needed", problem { rows = rows, remove = true })
    assert.equal("a message has 'buttons' or a 'keyboard', not both", problem({ rows = rows }, { { { text = "Go" } } }))
    assert.matches("^keyboard/rows/0/0/request: ", problem { rows = { { { text = "Tea", request = "money" } } } })
    assert.matches("^keyboard", actions.problem { type = "edit", message_id = "1", text = "x", keyboard = { rows = rows } })
  end)

  it("that sends needs a text or a medium", function()
    assert.equal("'text', or a medium, is missing", actions.problem { type = "send", silent = true })
    assert.is_nil(actions.problem { type = "send", photo = { id = "1" } })
  end)
end)
