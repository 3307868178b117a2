-- Providers that speak OpenAI's chat completions. What comes back is input from outside: everything
-- that is used of it is checked.

local errors = require "parley.llm.errors"
local json = require "host.json"

local M = {}
M.__index = M

local NAME = "openai"
local MAX_BODY = 1024 * 1024
local ATTEMPTS = 2
local PAUSE = 0.25 -- seconds before the second attempt, when the provider names none

---@class parley.OpenAIOptions
---@field url string up to and without /chat/completions
---@field key? string never logged, never part of an error
---@field request fun(options: table): table?, table? host.http_client's request
---@field clock fun(): number seconds, monotonic
---@field sleep fun(seconds: number)
---@field allow_private? boolean the url may name a private address (a model on this machine)
---@field max_body? integer bytes
---@field attempts? integer

--- A provider.
---@param opts parley.OpenAIOptions
---@return table provider
function M.new(opts)
  return setmetatable({
    name = NAME, url = opts.url:gsub("/+$", "") .. "/chat/completions", key = opts.key,
    request = opts.request, clock = opts.clock, sleep = opts.sleep,
    allow_private = opts.allow_private, max_body = opts.max_body or MAX_BODY,
    attempts = opts.attempts or ATTEMPTS,
  }, M)
end

local function header(response, name)
  for key, value in pairs(response.headers or {}) do
    if type(key) == "string" and key:lower() == name then
      return type(value) == "table" and value[1] or value
    end
  end
  return nil
end

-- A text of the provider that may stand in a message of ours: short, on one line, without the key.
local function quote(self, text)
  if type(text) ~= "string" then return "" end
  if self.key and self.key ~= "" then
    local at, to = text:find(self.key, 1, true)
    while at do
      text = text:sub(1, at - 1) .. "[key]" .. text:sub(to + 1)
      at, to = text:find(self.key, at + 5, true)
    end
  end
  text = text:gsub("[%c]+", " ")
  if #text > 200 then text = text:sub(1, 200):gsub("[\192-\255][\128-\191]*$", "") .. "..." end
  return ": " .. text
end

local function body_of(request)
  local body = { model = request.model, messages = json.array {} }
  for i, message in ipairs(request.messages) do
    body.messages[i] = { role = message.role, content = message.content }
  end
  body.temperature, body.max_tokens = request.temperature, request.max_tokens
  if request.json_schema then
    body.response_format = {
      type = "json_schema",
      json_schema = { name = "answer", strict = true, schema = request.json_schema },
    }
  end
  return json.encode(body)
end

local function headers_of(self, request)
  local headers = { ["Content-Type"] = "application/json", Accept = "application/json" }
  if self.key and self.key ~= "" then headers.Authorization = "Bearer " .. self.key end
  if request.trace_id and #request.trace_id == 32 then
    headers.traceparent = ("00-%s-%s-01"):format(request.trace_id, request.trace_id:sub(1, 16))
  end
  return headers
end

local function count(v) return type(v) == "number" and v >= 0 and v % 1 == 0 and v or nil end

-- The answer in a response of 200, or what is wrong with it.
local function read_answer(self, request, text)
  local doc, err = json.decode(text, { max_depth = 32 })
  if doc == nil then return nil, "not JSON: " .. err.message end
  local choice = type(doc) == "table" and type(doc.choices) == "table" and doc.choices[1]
  if type(choice) ~= "table" or type(choice.message) ~= "table" then
    return nil, "choices[0].message is missing"
  end
  local refusal = choice.message.refusal
  if type(refusal) == "string" then return nil, "the model refused" .. quote(self, refusal) end
  local content = choice.message.content
  if type(content) ~= "string" then return nil, "choices[0].message.content is no text" end
  local value
  if request.json_schema then
    if choice.finish_reason == "length" then return nil, "the answer was cut off (max_tokens)" end
    value, err = json.decode(content, { max_depth = 32 })
    if value == nil then return nil, "the answer is not JSON: " .. err.message end
  end
  local usage = type(doc.usage) == "table" and doc.usage or {}
  return {
    text = content, json = value, provider = self.name,
    model = type(doc.model) == "string" and #doc.model <= 100 and doc.model or request.model,
    usage = {
      prompt_tokens = count(usage.prompt_tokens) or 0,
      completion_tokens = count(usage.completion_tokens) or 0,
    },
  }
end

local function bad_status(self, response, attempt)
  local status = response.status
  local doc = json.decode(response.body or "")
  local said = type(doc) == "table" and type(doc.error) == "table" and doc.error.message
  local retry_after = tonumber(header(response, "retry-after"))
  if retry_after and not (retry_after >= 0 and retry_after < 1e6) then retry_after = nil end
  return errors.new(self.name, status == 429 and "rate_limited" or "bad_status",
    ("the provider answered %d%s"):format(status, quote(self, said)), {
      http_status = status, attempt = attempt, retry_after = retry_after,
      retryable = status == 429 or status == 408 or status >= 500,
    })
end

-- The client's own errors, in the contract's words.
local CODES = {
  timeout = "timeout", too_large = "too_large", invalid_response = "invalid_response",
}

local function try(self, request, body, timeout, attempt)
  local response, err = self.request {
    method = "POST", url = self.url, headers = headers_of(self, request), body = body,
    timeout = timeout, max_body = self.max_body, allow_private = self.allow_private, redirects = 0,
  }
  if not response then
    local code = CODES[err.code] or "connect"
    return nil, errors.new(self.name, code, "the request failed" .. quote(self, err.message), {
      attempt = attempt, retryable = code == "connect",
    })
  end
  if response.status ~= 200 then return nil, bad_status(self, response, attempt) end
  local answer, problem = read_answer(self, request, response.body)
  if not answer then
    return nil, errors.new(self.name, "invalid_response", problem, {
      attempt = attempt, http_status = 200,
    })
  end
  return answer
end

--- Asks the provider. A failure that may pass is tried once more when the deadline leaves time for
--- it and for the pause that the provider asked for.
---@param request table as of the router; `timeout` in seconds covers all attempts
---@return table? answer {text, json, usage, model, provider}
---@return parley.LLMError? err
function M:chat(request)
  local body, problem = body_of(request)
  if not body then
    return nil, errors.new(self.name, "invalid_request", "the request: " .. problem.message)
  end
  local deadline = self.clock() + request.timeout
  local attempt = 1
  while true do
    local left = deadline - self.clock()
    local answer, err = try(self, request, body, left, attempt)
    if answer then return answer end
    local pause = err.retry_after or PAUSE
    if not err.retryable or attempt >= self.attempts or self.clock() + pause >= deadline then
      return nil, err
    end
    if pause > 0 then self.sleep(pause) end
    attempt = attempt + 1
  end
end

return M
