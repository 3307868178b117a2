-- The metrics of a worker, all in one place: docs/metrics.md is the same list for operators.
--
-- What happens in Lua is counted where it happens, by what stands here. The rest is read when
-- somebody asks: parley.ops.process_metrics, parley.ops.watch.

local metrics = require "parley.ops.metrics"
local process_metrics = require "parley.ops.process_metrics"
local watch = require "parley.ops.watch"

local max = math.max

local M = { registry = metrics.new() }
local r = M.registry

M.http_requests = r:counter("parley_http_requests_total",
  "Requests of the public API, by route and status.", { "route", "method", "status" })
M.http_seconds = r:histogram("parley_http_request_seconds",
  "Time from the whole request to the whole answer.", { "route" })

M.turns = r:counter("parley_turns_total",
  "Turns that were committed: answered, fallback, failed or queued (the plugin answers later); "
    .. "sent: nobody had asked; reset: the person has started the dialog anew; "
    .. "replayed ones were sent before.",
  { "status" })
M.turn_seconds = r:histogram("parley_turn_seconds",
  "Time of a turn, from its arrival to its durable answer, waiting in its lane included.")
M.turn_core_seconds = r:histogram("parley_turn_core_seconds",
  "The part of it that the host itself takes: without the wait in its lane and without plugins.")
M.turn_overtaken = r:counter("parley_turns_overtaken_total",
  "Attempts at a turn that were made again because another worker was faster.")
M.menus = r:counter("parley_menus_total",
  "Menus that were shown or pressed, by what came of it: sent, edited, unchanged or closed; stale: "
    .. "the press was on a menu that is gone; again: on a button that was pressed a moment ago.",
  { "result" })
M.turns_recalled = r:counter("parley_turns_recalled_total",
  "Turns that began with what this host has last stored of their dialog, unread: right, or wrong "
    .. "and begun again, because another host was faster or the message was answered before.",
  { "result" })
M.turn_errors = r:counter("parley_turn_errors_total",
  "Turns that left nothing behind, and not for a mistake in the request, by the code of the error.",
  { "code" })

M.jobs = r:counter("parley_jobs_total",
  "Scheduled jobs that were fired: done, retried later, failed for good; held: the plugin is away.",
  { "outcome" })
M.job_delay = r:histogram("parley_job_delay_seconds",
  "Time from when a job was due until it was fired.", nil,
  { 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600 })
M.dead_letters = r:counter("parley_dead_letters_total",
  "What was given up and set aside for a person to look at: message, job or outbox (a message that "
    .. "a channel does not take).", { "kind" })

M.plugin_calls = r:counter("parley_plugin_calls_total",
  "Calls of plugins: ok, or the code of the error.", { "plugin", "outcome" })
M.plugin_seconds = r:histogram("parley_plugin_call_seconds",
  "Time of a plugin's call, its waiting included.", { "plugin" })
M.plugin_retries = r:counter("parley_plugin_retries_total",
  "Calls of REST plugins that were sent again.", { "plugin" })
M.plugin_unknown_fields = r:counter("parley_plugin_unknown_fields_total",
  "Fields in answers of REST plugins that the host does not know.", { "plugin" })

M.telegram_updates = r:counter("parley_telegram_updates_total",
  "Updates that bots have brought, by kind; duplicate: it was here before; refused: it is none, or "
    .. "too large; limited: of somebody who writes too much; forbidden: by the policy.",
  { "bot", "kind" })
M.telegram_ack = r:histogram("parley_telegram_ack_seconds",
  "Time from when updates have come until they are durable, and may be confirmed.")
M.telegram_polls = r:counter("parley_telegram_poll_failures_total",
  "Failed attempts to get updates, by the code of the error.", { "bot", "code" })
M.telegram_webhooks = r:counter("parley_telegram_webhook_requests_total",
  "Updates that Telegram has brought to a webhook: ok, refused (no such bot, or a wrong secret), "
    .. "paused, busy (too many are under way) or unavailable (they cannot be stored).",
  { "bot", "result" })
M.telegram_sends = r:counter("parley_telegram_sends_total",
  "Calls of the Bot API that deliver something: ok, or the code of the error.",
  { "bot", "method", "outcome" })
M.telegram_send_seconds = r:histogram("parley_telegram_send_seconds",
  "Time of such a call.", { "bot" })
M.telegram_refusals = r:counter("parley_telegram_refusals_total",
  "Sends that Telegram has put off (429): of a chat that was too fast, or of the whole bot.",
  { "bot", "of" })
M.telegram_waits = r:counter("parley_telegram_wait_seconds_total",
  "Seconds that Telegram has asked chats to wait (429).", { "bot" })
M.telegram_dead = r:counter("parley_telegram_undelivered_total",
  "Messages that were given up, by the code of the error.", { "bot", "code" })

M.telegram_presses = r:counter("parley_telegram_presses_answered_total",
  "Presses of buttons that the host has answered, because nobody else had in time.", { "bot" })
M.telegram_files = r:counter("parley_telegram_files_total",
  "Files that went up to Telegram or came down from it: ok, or the code of the error.",
  { "bot", "way", "outcome" })
M.telegram_file_bytes = r:counter("parley_telegram_file_bytes_total",
  "Bytes of those that went well.", { "bot", "way" })

M.broadcast_recipients = r:counter("parley_broadcast_recipients_total",
  "Recipients of broadcasts, by what has become of them: sent, blocked, failed, uncertain (perhaps "
    .. "twice).", { "bot", "result" })

M.deployments = r:counter("parley_deployments_total",
  "Deployments of plugins: started (with a canary), promoted, rolled_back or cancelled.",
  { "outcome" })
M.deployment_calls = r:counter("parley_deployment_calls_total",
  "Calls of plugins of which two versions serve, by version (stable or canary): ok, or the code of "
    .. "the error.", { "plugin", "version", "outcome" })
M.deployment_seconds = r:histogram("parley_deployment_call_seconds",
  "Time of such a call, by version.", { "plugin", "version" })
M.deployment_slices_lost = r:counter("parley_deployment_slices_lost_total",
  "Slices of such counts that were given up, because the database has been away for long.")

M.llm_calls = r:counter("parley_llm_calls_total",
  "Calls of the language model: ok, or the code of the error; circuit_open: it was not asked.",
  { "provider", "outcome" })
M.llm_seconds = r:histogram("parley_llm_call_seconds",
  "Time of a call of the language model, its repetitions included.", { "provider" })
M.llm_tokens = r:counter("parley_llm_tokens_total",
  "Tokens that language models have read (prompt) and written (completion).",
  { "provider", "model", "kind" })
M.llm_cost = r:counter("parley_llm_cost_total",
  "What language models have cost, by the configured prices, in their currency.",
  { "provider", "model" })

M.tls_reloads = r:counter("parley_tls_certificate_reloads_total",
  "Certificates that were read: ok (a new one is in service) or failed (the one before goes on).",
  { "result" })
M.tls_expiry = r:gauge("parley_tls_certificate_expires_timestamp_seconds",
  "When the certificate in service ends, in seconds since 1970.", { "listener" },
  { merge = "max" })

M.auth_failures = r:counter("parley_auth_failures_total",
  "Requests that were refused before their route: unauthorized, forbidden, busy or unavailable.",
  { "reason" })
M.rate_limited = r:counter("parley_rate_limited_total",
  "Requests that were refused because a limit was used up: of a user, a bot or a plugin.",
  { "kind" })
M.rate_blocks = r:counter("parley_rate_limit_blocks_total",
  "Round trips for a block of an allowance: granted, refused or failed.", { "driver", "result" })
M.audit_events = r:counter("parley_audit_events_total", "Events for audit_logs.", { "severity" })

-- A series that begins at its first event has no rise that Prometheus could see: what is known to
-- come begins at 0.
local function begin(family, values)
  for _, value in ipairs(values) do family:with(value) end
end
begin(M.turns, { "answered", "fallback", "failed", "queued", "sent", "reset", "replayed" })
begin(M.menus, { "sent", "edited", "unchanged", "closed", "stale", "again" })
begin(M.turns_recalled, { "right", "wrong" })
begin(M.turn_errors, { "dialog_busy", "timeout", "conflict" })
begin(M.jobs, { "done", "retried", "failed", "held" })
begin(M.dead_letters, { "message", "job", "outbox" })
begin(M.deployments, { "started", "promoted", "rolled_back", "cancelled" })
begin(M.tls_reloads, { "ok", "failed" })
begin(M.auth_failures, { "unauthorized", "forbidden", "busy", "unavailable" })
begin(M.rate_limited, { "user", "bot", "plugin", "telegram" })
begin(M.audit_events, { "debug", "info", "warning", "error", "critical" })

--- Counts one request that was answered.
---@param route string|nil the path of the route's declaration; nil: none matched
---@param method string
---@param status integer
---@param seconds number
function M.http(route, method, status, seconds)
  -- A path or method that nobody declared is the client's choice: it must not make series.
  M.http_requests:with(route or "none", route and method or "any", status):inc()
  M.http_seconds:with(route or "none"):observe(seconds)
end

--- Counts one turn that has committed, or was answered before.
---@param turn table `since` and `entered` say when it came and when it had its lane
---@param now number of host.time's mono
function M.turn(turn, now)
  M.turns:with(turn.replayed and "replayed" or turn.status):inc()
  M.turn_seconds:observe(now - turn.since)
  M.turn_core_seconds:observe(max(0, now - turn.entered - (turn.plugin_ms or 0) / 1000))
  for _, row in ipairs(turn.events) do M.audit_events:with(row[4]):inc() end
end

-- What the sender is to blame for: the status of the answer counts it, and rate_limited.
local OF_THE_REQUEST = {
  rate_limited = true, idempotency_mismatch = true, message_failed = true, user_not_found = true,
  continuation_not_found = true, continuation_done = true, continuation_expired = true,
  validation_failed = true, too_large = true, forbidden = true,
}

--- Counts one turn that left nothing behind.
---@param code string of the error
function M.turn_error(code)
  if not OF_THE_REQUEST[code] then M.turn_errors:with(code):inc() end
end

-- Outcome of a job by the state in which its row is left.
local JOB_OUTCOMES = { done = "done", open = "retried", failed = "failed" }

--- Counts one job that was fired and whose row is written.
---@param state string of the row
function M.job(state)
  M.jobs:with(JOB_OUTCOMES[state]):inc()
  if state == "failed" then M.dead_letters:with("job"):inc() end
end

--- Counts one call of a plugin.
---@param plugin string
---@param code string|nil of the error; nil: it went well
---@param seconds number
function M.plugin(plugin, code, seconds)
  M.plugin_calls:with(plugin, code or "ok"):inc()
  M.plugin_seconds:with(plugin):observe(seconds)
end

--- Counts one call of a plugin of which two versions serve.
---@param plugin string
---@param version "stable"|"canary"
---@param code string|nil of the error; nil: it went well
---@param seconds number
function M.deployment_call(plugin, version, code, seconds)
  M.deployment_calls:with(plugin, version, code or "ok"):inc()
  M.deployment_seconds:with(plugin, version):observe(seconds)
end

--- Counts one call of a language model.
---@param provider string
---@param code string|nil of the error; nil: it went well
---@param seconds number|nil nil: it was not asked
---A file that was to go up to Telegram, or to come down.
---@param way "up"|"down"
---@param code string|nil of the error
---@param bytes number
function M.telegram_file(bot, way, code, bytes)
  M.telegram_files:with(bot, way, code or "ok"):inc()
  if not code then M.telegram_file_bytes:with(bot, way):inc(bytes) end
end

---A call of the Bot API that delivers something.
---@param code string|nil of the error
function M.telegram_send(bot, method, code, seconds)
  M.telegram_sends:with(bot, method, code or "ok"):inc()
  M.telegram_send_seconds:with(bot):observe(seconds)
end

function M.llm(provider, code, seconds)
  M.llm_calls:with(provider, code or "ok"):inc()
  if seconds then M.llm_seconds:with(provider):observe(seconds) end
end

--- Counts what one answer of a language model has used.
---@param provider string
---@param model string as the provider says
---@param usage {prompt_tokens: integer, completion_tokens: integer, cost: number}
function M.llm_usage(provider, model, usage)
  M.llm_tokens:with(provider, model, "prompt"):inc(usage.prompt_tokens)
  M.llm_tokens:with(provider, model, "completion"):inc(usage.completion_tokens)
  M.llm_cost:with(provider, model):inc(usage.cost)
end

M.worker_restarts = r:counter("parley_worker_restarts_total",
  "Workers that were started in the place of another one.")
process_metrics.register(r)

--- Reads the statistics of a part of the worker from now on, one object of each kind.
---@type fun(kind: string, object: table|nil) kind: one of parley.ops.watch's
M.watch = watch.new(r)

return M
