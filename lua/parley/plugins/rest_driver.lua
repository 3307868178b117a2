-- The REST driver: a plugin behind POST {endpoint}/invoke, in any language.
--
-- The envelope is the one of Lua plugins, in JSON. What the plugin answers is input from outside;
-- what goes wrong on the way is a PluginError of the contract's codes. A call is tried again only
-- when the plugin cannot have taken it, or says itself that it has not (429, 502, 503, 504), within
-- the deadline, under the same webhook-id: a plugin that goes by the id acts once.

local answer = require "parley.plugins.answer"
local bulkhead = require "parley.util.bulkhead"
local http = require "host.http_client"
local json = require "host.json"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"
local utf8 = require "parley.util.utf8"
local webhook = require "parley.plugins.webhook"

local M = {}
M.__index = M

-- A message must be durable before an invocation: the plugin may act on it.
M.effect = true

local ATTEMPTS = 3
local PAUSE = 0.1 -- seconds before the second attempt, doubled before the third
local CONNECT = 3 -- seconds
local AT_ONCE = 128 -- calls: one plugin that hangs must not take the client's connections from all
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
---@param settings {signing_secret: string, allow_private: boolean|nil,
--- old_signing_secret: string|nil, old_until_ms: integer|nil} of the operator, or of a registration
---@return table|nil driver
---@return table|nil err
function M.new(manifest, settings)
  if settings.signing_secret == nil then
    return config_error('plugins.%s.signing_secret is missing, by which the calls of a REST plugin '
      .. 'are signed: plugins = { %s = { signing_secret = secret "%s_SIGNING_SECRET" } }',
      manifest.name, manifest.name, manifest.name:upper())
  end
  local key, problem = webhook.key(settings.signing_secret)
  if not key then
    return config_error("plugins.%s.signing_secret: %s", manifest.name, problem)
  end
  if settings.allow_private ~= nil and type(settings.allow_private) ~= "boolean" then
    return config_error("plugins.%s.allow_private: true or false expected", manifest.name)
  end
  return setmetatable({
    manifest = manifest, key = key,
    old_key = settings.old_signing_secret and webhook.key(settings.old_signing_secret),
    old_until_ms = settings.old_until_ms, url = manifest.endpoint:gsub("/+$", "") .. "/invoke",
    allow_private = settings.allow_private or false, places = bulkhead.new(AT_ONCE),
  }, M)
end

-- With the secret before, too, while the plugin may still know only that one.
local function signature(self, delivery, now, seconds, body)
  local out = webhook.sign(self.key, delivery, seconds, body)
  if not self.old_key or now >= self.old_until_ms then return out end
  return out .. " " .. webhook.sign(self.old_key, delivery, seconds, body)
end

local function plugin_error(self, code, message)
  return { code = code, message = message, retryable = false, plugin = self.manifest.name }
end

-- What the answer says beside what the host knows is counted; the log names it once.
local function note_unknown(self, unknown)
  if #unknown == 0 then return end
  meters.plugin_unknown_fields:with(self.manifest.name):inc(#unknown)
  if self.noted then return end
  self.noted = true
  log.write("warn", "fields in a plugin's answer are unknown and ignored", {
    plugin = self.manifest.name, fields = utf8.clip(table.concat(unknown, ", "), 300),
  })
end

-- Seconds of RFC 9110 section 10.2.3. A date, or anything else, is as good as none.
local function retry_after(r)
  return tonumber((r.headers["retry-after"] or ""):match "^%d+%.?%d*$") or 0
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
      ["webhook-signature"] = signature(self, delivery, now, seconds, body),
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
  if r.status == 200 or r.status == 202 then
    local response, result = answer.read(r)
    if not response then return nil, plugin_error(self, "invalid_response", result) end
    note_unknown(self, result)
    return response
  end
  local code = r.status == 429 and "rate_limited" or "bad_status"
  local refusal = plugin_error(self, code, ("status %d: %s"):format(r.status, answer.quote(r.body)))
  refusal.http_status = r.status
  return nil, refusal, RETRIED_STATUS[r.status] and retry_after(r) or nil
end

local function try(self, request, delivery, deadline)
  local pause = PAUSE
  for attempt = 1, ATTEMPTS do
    local response, err, again = exchange(self, request, delivery, attempt, deadline)
    if response then return response, nil, attempt end
    err.attempt, err.retryable = attempt, again ~= nil
    local wait = again and math.max(again, pause)
    if not again or attempt == ATTEMPTS or time.mono() + wait >= deadline then
      return nil, err, attempt
    end
    meters.plugin_retries:with(self.manifest.name):inc()
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
  local timeout = math.min(self.manifest.limits.timeout_ms, request.deadline_ms) / 1000
  local deadline = time.mono() + timeout
  if not self.places:enter(timeout) then
    return nil, plugin_error(self, "timeout",
      ("%d other calls have kept it busy until the deadline"):format(AT_ONCE)), 0
  end
  local good, response, err, attempts = pcall(try, self, request, delivery, deadline)
  self.places:leave()
  if not good then error(response, 0) end
  return response, err, attempts
end

function M:stats() return { calls_running = self.places.inside } end

---Nothing is held: calls that run finish by their own deadlines.
function M.close() end

return M
