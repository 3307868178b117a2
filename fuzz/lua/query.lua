-- The query of a request: what was declared, of its type, or a problem of validation.

local json = require "host.json"
local page = require "parley.http.page"
local query = require "parley.http.query"

local read = query.compile {
  page.limit "events", page.cursor "older events", page.time("since", "from when"),
  page.word("type", "which"), page.word("severity", "how bad", page.SEVERITIES),
}

return function(bytes)
  local values, err = read(bytes)
  if not values then
    assert(err.code == "validation_failed" and json.encode(err), "not a problem")
    return
  end
  for name, value in pairs(values) do
    if name == "limit" then
      assert(value >= 1 and value <= page.MAX and value % 1 == 0)
    elseif name == "since" then
      assert(value >= 0 and value % 1 == 0)
    else
      assert(type(value) == "string" and #value <= 128 and not value:find "[%z\1-\32\127-\255]")
    end
  end
end
