local quiet = require "parley.util.quiet"

describe("a quiet log", function()
  local lines, now, log
  before_each(function()
    lines, now = {}, 0
    log = quiet.new(function(level, message, fields)
      lines[#lines + 1] = ("%s %s %s"):format(level, message, fields and (fields.bot or fields.times) or "")
    end, 2, function() return now end)
  end)

  it("writes the first of many alike, says that it stops, and how many there were", function()
    for i = 1, 5 do log("error", "away", { bot = "b" .. i }) end
    assert.same({ "error away b1", "error away b2", "info more of the same is not written for a minute " }, lines)
    now, lines = 61, {}
    log("error", "away", { bot = "b6" })
    assert.same({ "info more of the same was not written 3", "error away b6" }, lines)
  end)

  it("leaves other messages alone, and those that are few", function()
    log("error", "away", { bot = "a" })
    log("warn", "else")
    now = 61
    log("error", "away", { bot = "a" })
    assert.same({ "error away a", "warn else ", "error away a" }, lines)
  end)
end)
