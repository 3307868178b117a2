-- The answer of a model's provider: text and usage of the right types, or an error that is not the
-- plugin's, and never the key.

local json = require "host.json"
local openai = require "parley.llm.providers.openai"

local KEY = "sk-do-not-tell"
local response

local provider = openai.new {
  url = "http://localhost/v1", key = KEY, attempts = 1, clock = function() return 0 end,
  sleep = function() end, request = function() return response end,
}

local STATUS = { 200, 200, 200, 400, 429, 503 }

return function(bytes)
  local kind = bytes:byte(1) or 0
  response = {
    status = STATUS[kind % #STATUS + 1], headers = { ["Retry-After"] = bytes:sub(2, 4) }, body = bytes:sub(2),
  }
  local answer, err = provider:chat({
    messages = { { role = "user", content = "hello" } }, model = "m",
    json_schema = kind >= 128 and { type = "object" } or nil, timeout = 5,
  }, 5)
  if not answer then
    assert(type(err.code) == "string" and type(err.message) == "string")
    assert(not err.message:find(KEY, 1, true), "the key is told")
    return
  end
  assert(type(answer.text) == "string" and type(answer.model) == "string")
  assert(answer.usage.prompt_tokens >= 0 and answer.usage.completion_tokens >= 0)
  assert(json.encode(answer.usage))
end
