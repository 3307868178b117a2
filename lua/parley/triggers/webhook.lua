-- A trigger calls a webhook of the operator: the event as JSON, signed like the calls of plugins.
--
-- It is called once the event is marked as handled: a host that goes down between the two does not
-- call. Each attempt has the same webhook-id, so that a receiver can tell them from another event.

local audit = require "parley.store.audit"
local http = require "host.http_client"
local json = require "host.json"
local log = require "parley.ops.log"
local task = require "host.task"
local time = require "host.time"
local webhook = require "parley.plugins.webhook"

local M = {}

local ATTEMPTS = 3
local PAUSE_S = 1    -- doubled from attempt to attempt
local TIMEOUT_S = 10
local ANSWER_MAX = 64 * 1024

local function body_of(trigger, event)
  return json.encode {
    trigger = trigger.id,
    event = {
      id = event.id, name = event.action, source = event.source, severity = event.severity,
      trace_id = event.trace_id, details = event.details, at = time.rfc3339(event.at),
    },
  }
end

local function send(action, id, body, trace_id)
  local seconds = math.floor(time.now_ms() / 1000)
  return http.request {
    method = "POST", url = action.url, body = body, timeout = TIMEOUT_S,
    allow_private = action.allow_private, max_body = ANSWER_MAX,
    headers = {
      ["Content-Type"] = "application/json", ["webhook-id"] = id, ["webhook-timestamp"] = seconds,
      ["webhook-signature"] = action.key and webhook.sign(action.key, id, seconds, body) or nil,
      traceparent = ("00-%s-%s-01"):format(trace_id, trace_id:sub(1, 16)),
    },
  }
end

---Calls until it is taken, a few times. What cannot be delivered is in the log and in the audit.
---@param core {db: table}
---@param action {url: string, key: string|nil, allow_private: boolean}
---@param trigger parley.Trigger
---@param event parley.Event
function M.call(core, action, trigger, event)
  local id, body = event.id .. "." .. trigger.id, body_of(trigger, event)
  local problem
  for attempt = 1, ATTEMPTS do
    local r, err = send(action, id, body, event.trace_id)
    if r and r.status >= 200 and r.status < 300 then return end
    problem = r and "status " .. r.status or err.message
    if r and r.status < 500 and r.status ~= 429 then break end
    if attempt < ATTEMPTS then task.sleep(PAUSE_S * 2 ^ (attempt - 1)) end
  end
  log.write("error", "the webhook of a trigger was not taken", {
    -- Whoever knows the whole address of some webhooks may call them.
    trigger = trigger.id, host = action.url:match "^%a+://([^/?#]+)", error = problem,
    trace_id = event.trace_id,
  })
  core.db:commit { audit.insert {
    source = "trigger:" .. trigger.id, action = "trigger_failed", severity = "error",
    trace_id = event.trace_id,
    details = { action = "webhook", message = problem, triggers = json.array { trigger.id } },
  } }
end

return M
