-- The answer of a REST plugin: an answer of the contract, or a reason.

local answer = require "parley.plugins.answer"
local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local response = require "parley.turn.response"

local PLUGIN = {
  name = "fuzzed",
  manifest = assert(manifest.check(json.encode {
    schema = "v1alpha", name = "fuzzed", version = "1.0.0", api = "1", transport = "rest",
    endpoint = "https://fuzzed.example", permissions = { "jobs", "history" },
  })),
}
local TYPES = { "application/json", "application/json; charset=utf-8", "text/html", nil }

-- The first byte says what stands around the body.
return function(bytes)
  local kind = bytes:byte(1) or 0
  local r = {
    status = kind >= 128 and 202 or 200, headers = { ["content-type"] = TYPES[kind % 8 + 1] or TYPES[1] },
    body = bytes:sub(2),
  }
  local value, result = answer.read(r)
  if not value then
    assert(type(result) == "string" and result ~= "" and #result < 2000)
    return
  end
  for _, path in ipairs(result) do assert(type(path) == "string") end
  local checked, err = response.check(PLUGIN, value, { count = 1 })
  if checked then
    assert(json.encode(checked), "an answer that cannot be stored")
  else
    assert(type(err.code) == "string" and type(err.message) == "string" and err.message ~= "")
  end
end
