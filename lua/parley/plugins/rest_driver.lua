-- The REST driver: a plugin behind POST {endpoint}/invoke, in any language.
--
-- The envelope is the one of Lua plugins, in JSON. What the plugin answers is input from outside;
-- what goes wrong on the way is a PluginError of the contract's codes. A call is tried again only
-- when the plugin cannot have taken it, or says itself that it has not (429, 502, 503, 504), within
-- the deadline, under the same webhook-id: a plugin that goes by the id acts once.

local breaker = require "parley.util.breaker"
local http = require "host.http_client"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"
local webhook = require "parley.plugins.webhook"

local M = {}
M.__index = M

-- A message must be durable before an invocation: the plugin may act on it.
M.effect = true

local ATTEMPTS = 3
local PAUSE = 0.1 -- seconds before the second attempt, doubled before the third
local CONNECT = 3 -- seconds
local ENVELOPE = 64 * 1024 -- of an answer, beside its actions

local RETRIED_STATUS = { [429] = true, [502] = true, [503] = true, [504] = true }

-- The client's codes that mean: nothing was sent.
local NOT_SENT = { connect = true, resolve = true }

local CODES = {
  timeout = "timeout", connect = "connect", resolve = "connect", tls = "connect",
  connection = "connect", too_large = "too_large", private_address = "permission",
  invalid_url = "connect", invalid_response = "invalid_response", busy = "connect",
  cancelled = "timeout",
}

local function config_error(fmt, ...)
  return nil, { code = "config", retryable = false, op = "plugins", message = fmt:format(...) }
end

---@param manifest table checked, limits filled
---@param settings {signing_secret: string, allow_private: boolean|nil} of the operator
---@return table|nil driver
---@return table|nil err
function M.new(manifest, settings)
  local key, problem = webhook.key(settings.signing_secret)
  if not key then
    return config_error("plugins.%s.signing_secret: %s", manifest.name, problem)
  end
  if settings.allow_private ~= nil and type(settings.allow_private) ~= "boolean" then
    return config_error("plugins.%s.allow_private: true or false expected", manifest.name)
  end
  return setmetatable({
    manifest = manifest, key = key, url = manifest.endpoint:gsub("/+$", "") .. "/invoke",
    allow_private = settings.allow_private or false, breaker = breaker.new { clock = time.mono },
    calls = 0, retries = 0,
  }, M)
end

local function plugin_error(self, code, message, more)
  local err = {
    code = code, message = message, retryable = false, plugin = self.manifest.name,
  }
  for k, v in pairs(more or {}) do err[k] = v end
  return err
end

-- Words of the plugin that may stand in a message of ours: short, on one line.
local function quote(text)
  text = text:sub(1, 120):gsub("[%c\128-\255]+", " ")
  return text == "" and "an empty body" or "'" .. text .. "'"
end

local function read_answer(self, r)
  local kind = (r.headers["content-type"] or ""):lower()
  if not kind:find "^application/json%s*;?" then
    return nil, plugin_error(self, "invalid_response",
      ("Content-Type: application/json was expected, got '%s': %s"):format(kind, quote(r.body)))
  end
  local value, err = json.decode(r.body)
  if value == nil then
    return nil, plugin_error(self, "invalid_response", "the answer is no JSON: " .. err.message)
  end
  if type(value) ~= "table" or json.is_array(value) then
    return nil, plugin_error(self, "invalid_response", "the answer: an object was expected")
  end
  for k, v in pairs(value) do
    if v == json.null then value[k] = nil end
  end
  return value
end

-- One exchange. `again`: the same call may be sent once more, after so many seconds.
---@return table|nil response
---@return table|nil PluginError
---@return number|nil again
local function exchange(self, request, delivery, attempt, deadline)
  local left = deadline - time.mono()
  if left <= 0 then return nil, plugin_error(self, "timeout", "the deadline has passed") end
  local now = time.now_ms()
  request.attempt, request.deadline_ms = attempt, math.floor(left * 1000)
  local body, problem = json.encode(request)
  if not body then return nil, plugin_error(self, "exception", problem.message) end
  local seconds = math.floor(now / 1000)
  local r, err = http.request {
    method = "POST", url = self.url, body = body, timeout = left, connect_timeout = CONNECT,
    allow_private = self.allow_private, max_body = self.manifest.limits.reply_bytes + ENVELOPE,
    headers = {
      ["Content-Type"] = "application/json", Accept = "application/json",
      ["webhook-id"] = delivery, ["webhook-timestamp"] = seconds,
      ["webhook-signature"] = webhook.sign(self.key, delivery, seconds, body),
      ["parley-attempt"] = attempt, ["parley-deadline"] = time.rfc3339(now + left * 1000),
      traceparent = ("00-%s-%s-01"):format(request.trace_id, request.trace_id:sub(1, 16)),
    },
  }
  if not r then
    local hint = err.code == "private_address"
      and (": plugins.%s.allow_private allows it"):format(self.manifest.name) or ""
    return nil, plugin_error(self, CODES[err.code] or "connect", err.message .. hint),
      NOT_SENT[err.code] and 0 or nil
  end
  if r.status == 200 then return read_answer(self, r) end
  local code = r.status == 429 and "rate_limited" or "bad_status"
  return nil,
    plugin_error(self, code, ("status %d: %s"):format(r.status, quote(r.body)),
      { http_status = r.status }),
    RETRIED_STATUS[r.status] and (tonumber(r.headers["retry-after"]) or 0) or nil
end

local function try(self, request, delivery, deadline)
  local pause = PAUSE
  for attempt = 1, ATTEMPTS do
    local response, err, again = exchange(self, request, delivery, attempt, deadline)
    if response then return response, nil, attempt end
    err.attempt = attempt
    local wait = again and math.max(again, pause)
    if not again or attempt == ATTEMPTS or time.mono() + wait >= deadline then
      return nil, err, attempt
    end
    self.retries = self.retries + 1
    task.sleep(wait)
    pause = pause * 2
  end
end

---Calls the plugin once, with the retries that the rule allows.
---@param request table InvokeRequestV1
---@param _ function the door: a REST plugin has none
---@param delivery string webhook-id, the same for every delivery of one event
---@return table|nil response, not yet validated
---@return table|nil PluginError
---@return integer attempts
function M:invoke(request, _, delivery)
  local permit, retry_after = self.breaker:enter()
  if not permit then
    return nil, plugin_error(self, "circuit_open",
      ("it has failed too often and is asked again in %d s"):format(math.ceil(retry_after))), 0
  end
  self.calls = self.calls + 1
  local timeout = math.min(self.manifest.limits.timeout_ms, request.deadline_ms) / 1000
  local response, err, attempts = try(self, request, delivery, time.mono() + timeout)
  self.breaker:report(permit, response ~= nil)
  return response, err, attempts
end

function M:stats()
  return { calls = self.calls, retries = self.retries, breaker = self.breaker:stats() }
end

function M:close() self.closed = true end

return M
