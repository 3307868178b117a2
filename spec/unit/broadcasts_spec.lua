-- How far a broadcast is, and the languages of what it says.

local content = require "parley.broadcasts.content"
local rows = require "parley.broadcasts.rows"

local function progress(more)
  local b = {
    id = "b", bot = "main", state = "running", locale = "en", actions = {}, audience = {}, created_at = 1, exhausted = 0,
    candidates = 1000, examined = 0, taken = 0, sent = 0, blocked = 0, failed = 0, uncertain = 0, per_minute = 60,
  }
  for key, value in pairs(more) do b[key] = value end
  return rows.view(b).progress
end

describe("the progress of a broadcast", function()
  it("takes those ahead to be like those that were looked at", function()
    -- Every second one is a recipient: 250 more of 500, and 50 that are on the way.
    local p = progress { examined = 500, taken = 250, sent = 190, blocked = 6, failed = 3, uncertain = 1 }
    assert.same({ 50, 40, 300 }, { p.on_the_way, p.percent, p.eta_seconds })
  end)

  it("promises nothing that is not known", function()
    assert.is_nil(progress { per_minute = 0 }.eta_seconds)
    assert.is_nil(progress { state = "paused" }.eta_seconds)
    local p = progress { state = "draft", candidates = false, per_minute = 0 }
    assert.same({ 0, 0 }, { p.percent, p.on_the_way })
  end)

  it("is all when it is done, also when there was nobody", function()
    assert.equal(100, progress { state = "done", exhausted = 1, candidates = 0 }.percent)
    local p = progress { exhausted = 1, examined = 1000, taken = 10, sent = 9 }
    assert.same({ 90, 1 }, { p.percent, p.eta_seconds })
  end)
end)

describe("the texts of a broadcast", function()
  it("are those of the language, else of the default", function()
    local list = {
      {
        type = "send", text = { en = "tea", ["en-GB"] = "cuppa", uk = "чай" }, silent = true,
        buttons = { { { text = { en = "go", uk = "йти" }, url = "https://example.org" }, { text = "plain" } } },
      },
    }
    for locale, expected in pairs {
      ["en-GB"] = { "cuppa", "go" }, ["en-US"] = { "tea", "go" }, ["uk-UA"] = { "чай", "йти" }, fr = { "tea", "go" },
      [""] = { "tea", "go" },
    } do
      local action = content.for_locale(list, locale, "en")[1]
      assert.same({ expected[1], expected[2], "plain", true },
        { action.text, action.buttons[1][1].text, action.buttons[1][2].text, action.silent })
    end
    assert.equal("table", type(list[1].text), "what was given is left as it is")
  end)
end)
