-- Errors over HTTP: RFC 9457 problem documents with a stable code and the trace id.

local json = require "host.json"

local M = {}

-- code -> { status, title }. Codes are part of the contract: added, never changed.
M.CODES = {
  bad_request = { 400, "Bad request" },
  invalid_json = { 400, "Invalid JSON" },
  invalid_utf8 = { 400, "Invalid UTF-8" },
  too_deep = { 400, "Nested too deep" },
  number_out_of_range = { 400, "Number out of range" },
  validation_failed = { 400, "Validation failed" },
  bot_webhook_refused = { 400, "Webhook of the bot refused" },
  bot_token_refused = { 400, "Token of the bot refused" },
  endpoint_refused = { 400, "Endpoint refused" },
  invalid_dialog_id = { 400, "Invalid dialog id" },
  unauthorized = { 401, "Unauthorized" },
  forbidden = { 403, "Forbidden" },
  not_found = { 404, "Not found" },
  user_not_found = { 404, "User not found" },
  dialog_not_found = { 404, "Dialog not found" },
  dead_letter_not_found = { 404, "Dead letter not found" },
  token_not_found = { 404, "Token not found" },
  bot_not_found = { 404, "Bot not found" },
  plugin_not_found = { 404, "Plugin not found" },
  broadcast_not_found = { 404, "Broadcast not found" },
  file_not_found = { 404, "File not found" },
  continuation_not_found = { 404, "Continuation not found" },
  method_not_allowed = { 405, "Method not allowed" },
  conflict = { 409, "Conflict" },
  idempotency_mismatch = { 409, "Idempotency mismatch" },
  message_failed = { 409, "Message failed" },
  token_revoked = { 409, "Token revoked" },
  token_expired = { 409, "Token expired" },
  recipient_blocked = { 409, "Recipient blocked" },
  plugin_conflict = { 409, "Plugin conflict" },
  deployment_refused = { 409, "Deployment refused" },
  reload_refused = { 409, "Reload refused" },
  continuation_done = { 409, "Continuation done" },
  continuation_expired = { 410, "Continuation expired" },
  file_link_expired = { 410, "Link to the file expired" },
  too_large = { 413, "Too large" },
  unsupported_media_type = { 415, "Unsupported media type" },
  rate_limited = { 429, "Rate limited" },
  dialog_busy = { 429, "Dialog busy" },
  internal = { 500, "Internal error" },
  disk_full = { 503, "Disk full" },
  busy = { 503, "Busy" },
  files_full = { 507, "No room for the file" },
  timeout = { 503, "Timed out" },
  unavailable = { 503, "Unavailable" },
  storage_failed = { 503, "Storage failed" },
}

-- What the database could not do is no bug of the request or of the platform: it may work again
-- later, and what is stored is what was stored before.
local function storage_failure(err)
  return type(err.op) == "string" and (err.op:find "^sql" or err.op:find "^postgres") ~= nil
end

-- For clients: where the database is, and what its words are, stands in the log.
local STORAGE = {
  unavailable = "the database cannot be reached now",
  busy = "the database has too much to do now",
  timeout = "the database has not answered in time",
  disk_full = "the disk is full: nothing can be stored until there is room",
}

-- What a client is told of an error of the database.
local function of_storage(err)
  local message = STORAGE[err.code]
  return {
    code = message and err.code or "storage_failed", retry_after = err.retry_after,
    headers = err.headers, message = message or "the database cannot be used now",
  }
end

local HEADERS = "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"

---Answers with a problem document.
---@param req table host.http_server request
---@param trace_id string
---@param err {code: string, message: string|nil, status: integer|nil, errors: table|nil,
--- retry_after: number|nil, headers: string|nil}
---@param more string|nil header lines that every answer to this request has
---@return integer status
function M.respond(req, trace_id, err, more)
  if storage_failure(err) and (STORAGE[err.code] or not M.CODES[err.code]) then
    err = of_storage(err)
  end
  local known = M.CODES[err.code]
  local status = known and known[1] or err.status or 500
  local code = known and err.code or (status < 500 and err.code or "internal")
  local body = {
    type = "about:blank", title = known and known[2] or "Error", status = status,
    detail = (known or status < 500) and err.message or nil, code = code, trace_id = trace_id,
    errors = err.errors,
  }
  local headers = HEADERS .. "X-Trace-Id: " .. trace_id .. "\r\n" .. (err.headers or "")
    .. (more or "")
  if status == 401 then headers = headers .. "WWW-Authenticate: Bearer realm=\"parley\"\r\n" end
  if err.retry_after or status == 503 then
    headers = headers .. "Retry-After: " .. (err.retry_after or 1) .. "\r\n"
  end
  local text = json.encode(body)
  if not text then -- the words of the request in it are no UTF-8
    body.detail = nil
    text = json.encode(body)
  end
  req:respond(status, headers, text)
  return status
end

return M
