local page = require "parley.http.page"
local query = require "parley.http.query"

describe("a query", function()
  local read = query.compile {
    page.limit "things", page.cursor "more", page.word("kind", "x"), page.word("severity", "x", page.SEVERITIES),
    page.time("since", "x"),
  }

  it("is read by what the route declares", function()
    assert.same({}, read(nil))
    assert.same({}, read "limit=&cursor=")
    assert.same({ limit = 7, kind = "a:b", severity = "error", since = 1000 },
      read "limit=7&kind=a%3Ab&severity=error&since=1970-01-01T00:00:01Z")
  end)

  for text, code in pairs {
    ["lmit=7"] = "unknown_parameter", ["=7"] = "unknown_parameter", ["limit=7&limit=7"] = "duplicate",
    ["limit=x"] = "type", ["limit=0x10"] = "type", ["limit=1.5"] = "type", ["limit=-1"] = "type", ["limit=0"] = "minimum",
    ["limit=201"] = "maximum", ["limit=99999999999999999999"] = "type", ["cursor=%00"] = "nul", ["cursor=a'b"] = "pattern",
    ["kind=%ff"] = "pattern", ["severity=loud"] = "enum", ["since=yesterday"] = "format",
    ["since=2026-02-30T00:00:00Z"] = "format",
  } do
    it("refuses " .. text, function()
      local _, err = read(text)
      assert.equal("validation_failed", err.code)
      assert.equal(code, err.errors[1].code)
      assert.equal("?", err.errors[1].path:sub(1, 1))
    end)
  end
end)
