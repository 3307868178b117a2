local duration = require "parley.util.duration"

describe("a duration", function()
  it("is read in seconds, minutes, hours and days", function()
    for text, seconds in pairs { ["90s"] = 90, ["10m"] = 600, ["1.5h"] = 5400, ["30d"] = 2592000 } do
      assert.equal(seconds, duration.check(text))
    end
  end)

  it("is refused when it is none, too short or too long", function()
    for _, text in ipairs { "", "10", "m", "-5m", "0s", "0.5s", "31d", "10 m", "10mm", "1e9s" } do
      local value, problem = duration.check(text)
      assert.is_nil(value, text)
      assert.matches("1s to 30d expected", problem)
    end
  end)

  it("is written in its largest whole unit", function()
    for text, seconds in pairs { ["90s"] = 90, ["10m"] = 600, ["2h"] = 7200, ["1d"] = 86400, ["0.5s"] = 0.5 } do
      assert.equal(text, duration.text(seconds))
    end
  end)
end)
