-- Calls of the Bot API (https://core.telegram.org/bots/api#making-requests), and what their
-- failures mean.

local http = require "host.http_client"
local json = require "host.json"

local M = {}
M.__index = M

local TIMEOUT_S, CONNECT_S = 30, 10
local RETRY_MAX_S = 86400
local BODY_MAX = 8 * 1024 * 1024
local UPLOAD_MAX = 2000 * 1024 * 1024 -- of a server of one's own; Telegram's own takes 50 MB

-- What may be asked twice without anything happening twice: that a thing be so, and answers, of
-- which Telegram takes one.
local function is_repeatable(method)
  local verb = method:match "^%l+"
  return verb == "get" or verb == "set" or verb == "delete" or verb == "edit" or verb == "answer"
    or verb == "pin" or verb == "unpin" or method == "sendChatAction"
end

local REPEATABLE = setmetatable({}, { __index = function(known, method)
  known[method] = is_repeatable(method)
  return known[method]
end })

-- Failures of the connection after which nobody has heard of the request.
local NOT_SENT = { resolve = true, connect = true, tls = true, busy = true, invalid_url = true }

---@param opts {token: string, url: string} url: https://api.telegram.org, or a server of one's own
function M.new(opts)
  local server = opts.url:gsub("/+$", "")
  return setmetatable({
    url = server .. "/bot" .. opts.token .. "/", files = server .. "/file/bot" .. opts.token .. "/",
  }, M)
end

-- What must rather not happen than happen twice: people would pay twice.
local ONCE = {
  sendInvoice = true, sendPaidMedia = true, sendGift = true, refundStarPayment = true,
  giftPremiumSubscription = true,
}

---What is done about a call of which nobody knows whether it was carried out.
---@param method string
---@return "again"|"repeat"|"once" policy again: it does no harm; repeat: it is made again, since a
---  message that comes twice is better than none, and that is on record; once: it is given up, and
---  a person decides
function M.policy(method)
  return REPEATABLE[method] and "again" or ONCE[method] and "once" or "repeat"
end

local function failure(method, code, message, more)
  local err = {
    code = code, message = method .. ": " .. message, retryable = false, op = "telegram",
  }
  for key, value in pairs(more or {}) do err[key] = value end
  return nil, err
end

-- Nobody knows whether it was carried out.
local function lost(method, message)
  return failure(method, "lost", message, { retryable = true, unknown = not REPEATABLE[method] })
end

local CODES = {
  [400] = "bad_request", [401] = "unauthorized", [403] = "forbidden", [404] = "unauthorized",
  [409] = "conflict", [413] = "too_large",
}

-- From a second to a day, whatever it says: NaN, too, is a second.
local function seconds(value)
  local n = tonumber(value) or 1
  return n >= 1 and math.min(n, RETRY_MAX_S) or 1
end

-- A refusal in Telegram's words: {ok = false, error_code, description, parameters}.
local function refusal(method, status, reply)
  local parameters = type(reply.parameters) == "table" and reply.parameters or {}
  local description = tostring(reply.description or status):sub(1, 300)
  if status == 429 then
    return failure(method, "rate_limited", description, {
      retryable = true, retry_after = seconds(parameters.retry_after),
    })
  elseif status >= 500 then
    return failure(method, "unavailable", description, {
      retryable = true, unknown = not REPEATABLE[method],
    })
  end
  return failure(method, CODES[status] or "bad_request", description, {
    description = description, http_status = status,
    migrate_to = tonumber(parameters.migrate_to_chat_id),
  })
end

-- Of a request that cannot be made: a file of it is gone, or cannot be read.
local FILE = { not_found = true, permission = true, io = true, invalid = true }

local function ask(self, method, request, timeout)
  request.method, request.url, request.max_body = "POST", self.url .. method, BODY_MAX
  request.timeout, request.connect_timeout = timeout or TIMEOUT_S, CONNECT_S
  request.allow_private, request.once = true, not REPEATABLE[method]
  request.patient = method == "getUpdates"
  local r, err = http.request(request)
  if not r then
    if NOT_SENT[err.code] then
      return failure(method, "connect", err.message, { retryable = true })
    elseif request.multipart and FILE[err.code] then
      return failure(method, "file", err.message)
    end
    return lost(method, err.message)
  end
  local reply = json.decode(r.body)
  if type(reply) ~= "table" then
    if r.status >= 500 then return refusal(method, r.status, {}) end
    return lost(method, ("status %d with a body that is no JSON"):format(r.status))
  end
  if reply.ok == true then return reply.result end
  return refusal(method, tonumber(reply.error_code) or r.status, reply)
end

---Calls a method.
---@param method string
---@param params table
---@param timeout number|nil seconds
---@return any|nil result
---@return table|nil err code: rate_limited (`retry_after` seconds), forbidden, bad_request,
---  unauthorized, conflict, too_large, unavailable, connect (nothing was sent), lost;
---  `unknown`: it may have been carried out
function M:call(method, params, timeout)
  return ask(self, method, {
    body = json.encode(params), headers = { ["Content-Type"] = "application/json" },
  }, timeout)
end

---Calls a method with files, which are read from the disk while they are sent.
---@param method string
---@param params table a file is named in it as attach://NAME
---@param files {name: string, file: string, filename: string, content_type: string}[] file: a path
---@param timeout number seconds
---@return any|nil result
---@return table|nil err as of call; "file": one cannot be read
function M:upload(method, params, files, timeout)
  local parts = {}
  for name, value in pairs(params) do
    parts[#parts + 1] = {
      name = name, data = type(value) == "string" and value or json.encode(value),
    }
  end
  for _, file in ipairs(files) do parts[#parts + 1] = file end
  return ask(self, method, { multipart = parts, max_upload = UPLOAD_MAX }, timeout)
end

---Begins to read a file (Bot API, getFile). Its address has the token in it, and stays here.
---@param path string file_path
---@param opts {max: number, timeout: number, from: integer|nil} max: bytes; from: bytes that are
---  here already
---@return table|nil response {status, headers, body}, body: read() and close() of host.http_client
---@return table|nil err
function M:file(path, opts)
  local r, err = http.request {
    url = self.files .. path:gsub("[^%w/._~-]", function(c) return ("%%%02X"):format(c:byte()) end),
    headers = opts.from and { Range = ("bytes=%d-"):format(opts.from) } or nil,
    max_body = opts.max, timeout = opts.timeout, connect_timeout = CONNECT_S, allow_private = true,
    stream = true,
  }
  if r then return r end
  return failure("download", err.code, err.message, { retryable = err.retryable })
end

return M
