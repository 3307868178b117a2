local rfc3339 = require "parley.util.rfc3339"
local time = require "host.time"

describe("rfc3339", function()
  it("reads what the host writes", function()
    for _, ms in ipairs { 0, 1, 951782400000, 951868799999, 1795248000123, 4107542399000, 253402300799999 } do
      assert.equal(ms, rfc3339.parse(time.rfc3339(ms)))
    end
  end)

  it("reads offsets, fractions and leap seconds", function()
    local noon = rfc3339.parse "2026-11-21T12:00:00Z"
    assert.equal(noon, rfc3339.parse "2026-11-21T14:00:00+02:00")
    assert.equal(noon, rfc3339.parse "2026-11-21t06:30:00-05:30")
    assert.equal(noon + 250, rfc3339.parse "2026-11-21T12:00:00.25z")
    assert.equal(rfc3339.parse "2017-01-01T00:00:00Z", rfc3339.parse "2016-12-31T23:59:60Z")
    assert.equal(rfc3339.parse "2017-01-01T00:00:00Z", rfc3339.parse "2017-01-01T01:59:60+02:00")
  end)

  it("refuses days and hours that there are not", function()
    for _, text in ipairs {
      "", "2026-11-21", "2026-11-21T12:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
      "2026-04-31T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T12:60:00Z", "2026-11-21T12:00:61Z",
      "2026-11-21T12:00:00.Z", "2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+0200", "2026-11-21T12:00:00ZZ",
      "1969-12-31T23:59:59Z", "2026-11-21T12:00:60Z", "2026-11-21T23:59:60+02:00",
      "2026-11-21T12:00:00123Z",
    } do
      assert.is_nil(rfc3339.parse(text), text)
    end
    assert.is_number(rfc3339.parse "2024-02-29T00:00:00Z")
  end)
end)
