-- JSON Schemas of manifests and of plugins' questions: refused with a reason, or made into a check
-- that tells of any value whether it fits.

local given = require "parley.schema.given"
local json = require "host.json"

local VALUES = {
  json.null, true, 0, -1.5, 1e308, "", "text", "héllo", ("x"):rep(5000), {}, json.array {}, { a = 1, b = { c = "d" } },
  json.array { 1, "2", json.null }, { a = json.array { { b = 1 } } },
}

-- The schema, and behind a zero byte a value.
return function(bytes)
  local text, more = bytes:match "^([^%z]*)%z(.*)$"
  local schema = json.decode(text or bytes, { max_depth = 32 })
  if schema == nil then return end
  local check, problem = given.compile(schema)
  if not check then
    assert(type(problem) == "string" and problem ~= "")
    return
  end
  local value = more and json.decode(more, { max_depth = 32 })
  for i = 0, #VALUES do
    if i > 0 then value = VALUES[i] end
    if value ~= nil then
      for _, e in ipairs(check(value) or {}) do
        assert(type(e.path) == "string" and type(e.code) == "string" and type(e.message) == "string")
      end
    end
  end
end
