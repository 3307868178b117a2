-- The plugin under test: called as Parley calls it, or wrongly on purpose.

local answer = require "parley.plugins.answer"
local crypto = require "host.crypto"
local http = require "host.http_client"
local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local time = require "host.time"
local webhook = require "parley.plugins.webhook"

local M = {}
M.__index = M

local CONNECT = 3 -- seconds
local MAX_BODY = 4 * 1024 * 1024

---@class parley.ConformanceCall
---@field id string the webhook-id
---@field what string the type of the event
---@field body string
---@field headers table<string, string|integer>

---@class parley.ConformanceAnswer
---@field call parley.ConformanceCall
---@field response table of host.http_client

-- Until the plugin has shown its own.
local UNKNOWN = manifest.check(json.encode {
  schema = "v1alpha", name = "unknown", version = "0.0.0", api = "1", transport = "rest",
  endpoint = "http://unknown.invalid",
})

---@param o parley.ConformanceOptions
function M.new(o)
  return setmetatable({
    url = o.url:gsub("/+$", ""), key = o.key, text = o.text, manifest = UNKNOWN,
    settings = o.settings or json.decode "{}",
    answers = {}, ---@type parley.ConformanceAnswer[] all that came to good calls
  }, M)
end

---What to say to it: what it was told, else its first command or its first example.
---@return string
function M:words()
  local m = self.manifest
  local intent = m.intents[1]
  return self.text or m.commands[1] and "/" .. m.commands[1].name
    or intent and intent.examples and intent.examples[1] or "hello"
end

---An InvokeRequestV1 for the message that the plugin is most likely to take.
---@param event table|nil instead of that message
---@return table
function M:envelope(event)
  local locale = "en"
  return {
    invocation_id = crypto.uuid7(), attempt = 1, deadline_ms = self.manifest.limits.timeout_ms,
    plugin = self.manifest.name, config = self.settings, trace_id = crypto.trace_id(),
    dialog = {
      id = "conformance", channel = "api", locale = locale, reset_version = 0,
      state = json.decode "{}",
    },
    user = { id = crypto.uuid7(), role = "user", locale = locale, name = "Conformance" },
    event = event or { type = "text", message = self:message { text = self:words() } },
  }
end

---A message as it stands in an event.
---@param fields table
---@return table
function M.message(_, fields)
  local m = {
    type = "text", message_id = crypto.uuid7(), user = { external_id = "conformance" },
  }
  for k, v in pairs(fields) do m[k] = v end
  return m
end

---The call that Parley would send, for a check to send as it is or to spoil.
---@param request table|string InvokeRequestV1, or the bytes of a body
---@param o? {id?: string, timestamp?: integer, key?: string} instead of what is right
---@return parley.ConformanceCall
function M:sign(request, o)
  o = o or {}
  local body = type(request) == "string" and request or assert(json.encode(request))
  local id = o.id or type(request) == "table" and request.invocation_id or crypto.uuid7()
  local timestamp = o.timestamp or math.floor(time.now_ms() / 1000)
  local trace = crypto.trace_id()
  return {
    id = id, what = type(request) == "table" and request.event.type or "bytes", body = body,
    headers = {
      ["Content-Type"] = "application/json", Accept = "application/json",
      ["webhook-id"] = id, ["webhook-timestamp"] = timestamp,
      ["webhook-signature"] = webhook.sign(o.key or self.key, id, timestamp, body),
      ["parley-attempt"] = 1,
      ["parley-deadline"] = time.rfc3339(time.now_ms() + self.manifest.limits.timeout_ms),
      traceparent = ("00-%s-%s-01"):format(trace, trace:sub(1, 16)),
    },
  }
end

---One exchange, whatever comes of it.
---@param method string
---@param path string
---@param call parley.ConformanceCall|nil
---@param timeout number|nil seconds; default: limits.timeout_ms
---@return table|nil response
---@return table|nil err
function M:exchange(method, path, call, timeout)
  return http.request {
    method = method, url = self.url .. path, body = call and call.body,
    headers = call and call.headers, connect_timeout = CONNECT, max_body = MAX_BODY,
    timeout = timeout or self.manifest.limits.timeout_ms / 1000,
    allow_private = true, -- whoever runs the checks has named the address
  }
end

---@return table|nil response
---@return table|nil err
function M:send(call, timeout) return self:exchange("POST", "/invoke", call, timeout) end

---What came, in a few words.
---@param r table|nil
---@param err table|nil
---@return string
function M.describe(r, err)
  if not r then return ("no answer: %s (%s)"):format(err.message, err.code) end
  return ("status %d: %s"):format(r.status, answer.quote(r.body))
end

---Whether a plugin has answered: with a JSON object and status 200, or 202 when it goes on later.
---What the answer holds is judged for all answers together (answers.lua).
---@param call parley.ConformanceCall
---@param r table|nil
---@param err table|nil
---@return string|nil problem
function M:judge(call, r, err)
  if not r or (r.status ~= 200 and r.status ~= 202) then return M.describe(r, err) end
  local document, problem = json.decode(r.body)
  if document == nil then return "the answer is no JSON: " .. problem.message end
  if type(document) ~= "table" or json.is_array(document) then
    return "the answer is no object: " .. answer.quote(r.body)
  end
  self.answers[#self.answers + 1] = { call = call, response = r }
end

---Signs, sends and judges.
---@param request table InvokeRequestV1
---@param timeout number|nil seconds
---@return string|nil problem
function M:ask(request, timeout)
  local call = self:sign(request)
  return self:judge(call, self:send(call, timeout))
end

---What is wrong when a call that must be refused was not.
---@param call parley.ConformanceCall
---@return string|nil problem
function M:refused(call)
  local r, err = self:send(call)
  if r and (r.status == 400 or r.status == 401) then return nil end
  return "400 or 401 was expected, got " .. M.describe(r, err)
end

return M
