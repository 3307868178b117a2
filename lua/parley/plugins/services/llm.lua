-- llm: a plugin asks the configured language model.

local gate = require "parley.plugins.gate"
local given_schema = require "parley.schema.given"
local json = require "host.json"
local time = require "host.time"

local CALLS = 5 -- in one event
local MESSAGES = 50
local BYTES = 64 * 1024

local ROLES = { system = true, user = true, assistant = true }

local function check(request)
  if type(request) == "string" then
    request = { messages = { { role = "user", content = request } } }
  end
  if type(request) ~= "table" or type(request.messages) ~= "table" or #request.messages == 0 then
    return gate.refuse("invalid",
      "llm: a text, or { messages = { { role =, content = } } } expected")
  end
  if #request.messages > MESSAGES then
    return gate.refuse("too_large", "llm: at most %d messages", MESSAGES)
  end
  local bytes = 0
  for i, m in ipairs(request.messages) do
    if type(m) ~= "table" or not ROLES[m.role] or type(m.content) ~= "string" then
      return gate.refuse("invalid", "llm: messages[%d]: role 'system', 'user' or 'assistant' and "
        .. "content expected", i)
    end
    bytes = bytes + #m.content
  end
  if bytes > BYTES then
    return gate.refuse("too_large", "llm: the messages have %d bytes, at most %d are allowed",
      bytes, BYTES)
  end
  for _, key in ipairs { "temperature", "max_tokens" } do
    if request[key] ~= nil and type(request[key]) ~= "number" then
      return gate.refuse("invalid", "llm: %s: a number expected", key)
    end
  end
  if request.json_schema ~= nil then
    local good, problem = given_schema.compile(request.json_schema)
    if not good then return gate.refuse("invalid", "llm: json_schema: %s", problem) end
  end
  local text, err = json.encode {
    request.messages, request.json_schema or {}, request.temperature or 0, request.max_tokens or 0,
  }
  if not text then return gate.refuse("invalid", "llm: %s", err.message) end
  return request
end

gate.register("llm.chat", {
  permission = "llm:chat",
  run = function(invocation, given)
    local request, err = check(given)
    if not request then return nil, err end
    invocation.llm_calls = (invocation.llm_calls or 0) + 1
    if invocation.llm_calls > CALLS then
      return gate.refuse("quota", "llm: more than %d calls in one event", CALLS)
    end
    local answer
    answer, err = invocation.llm:chat {
      messages = request.messages, temperature = request.temperature,
      max_tokens = request.max_tokens,
      json_schema = request.json_schema,
      timeout = math.max(0.001, invocation.deadline - time.live()),
      trace_id = invocation.trace_id,
    }
    if not answer then return nil, err end
    invocation:spend(answer.usage)
    return {
      text = answer.text, json = answer.json, model = answer.model, source = answer.source,
      usage = answer.usage,
    }
  end,
})
