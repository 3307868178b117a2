-- What stands in for the network in the specs of a plugin: other servers, and the language model.

local json = require "host.json"

local M = {}

local function fail(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = code ~= "invalid", op = "fake" }
end

-- What a spec says of an answer, as the HTTP client gives it.
local function answer_of(what, value)
  if type(value) == "string" then value = { body = value } end
  if type(value) ~= "table" then
    return fail("invalid", "the fake of %s gives a %s: a text or a table expected", what,
      type(value))
  end
  if value.error then
    return fail(value.error, "%s: %s, as the spec wants it", what, value.error)
  end
  local headers, body = { ["content-type"] = "text/plain" }, value.body or ""
  if value.json ~= nil then
    headers["content-type"], body = "application/json", assert(json.encode(value.json))
  end
  for name, text in pairs(value.headers or {}) do headers[name:lower()] = text end
  return { status = value.status or 200, headers = headers, body = body }
end

-- "GET https://api.example/orders/7"; a "*" at the end stands for anything.
local function find(routes, what)
  if routes[what] ~= nil then return routes[what] end
  for key, value in pairs(routes) do
    if key:sub(-1) == "*" and what:sub(1, #key - 1) == key:sub(1, -2) then return value end
  end
end

---@param routes table<string, string|table|function> "METHOD URL" -> body, {status, json | body,
---  headers} or {error = code}, or a function of the request that gives one of these
---@return fun(request: table): table|nil, table|nil request in the place of host.http_client's
---@return table[] requests that were made: {method, url, headers, body, json}
function M.http(routes)
  local made = {}
  return function(request)
    local what = request.method .. " " .. request.url
    local seen = {
      method = request.method, url = request.url, headers = request.headers, body = request.body,
      json = request.body and json.decode(request.body) or nil,
    }
    made[#made + 1] = seen
    local value = find(routes, what)
    if value == nil then
      return fail("connect", "nothing answers at %s: add [\"%s\"] to the http of kit.start", what,
        what)
    end
    if type(value) == "function" then value = value(seen) end
    return answer_of(what, value)
  end, made
end

---@param answers string|table|function a text; a list of them, one after the other; a function of
---  the request {messages, json_schema, ...} that gives a text, a table for json_schema, or nil and
---  the code of an error
---@return {chat: function} provider
---@return table[] requests that were made
function M.llm(answers)
  local made, provider = {}, { name = "fake" }
  function provider.chat(_, request)
    made[#made + 1] = request
    local value, code = answers, nil
    if type(answers) == "table" then value = answers[#made] end
    if type(answers) == "function" then value, code = answers(request) end
    if value == nil then return fail(code or "unavailable", "no answer number %d", #made) end
    local text = type(value) == "table" and assert(json.encode(value)) or tostring(value)
    return {
      text = text, json = type(value) == "table" and value or nil, model = "fake",
      provider = "fake", usage = { prompt_tokens = 1, completion_tokens = 1, cost = 0 },
    }
  end
  return provider, made
end

return M
