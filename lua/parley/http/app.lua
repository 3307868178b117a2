-- From a request to a route and back: trace id, token, scopes, body, validation, problem documents.

local crypto = require "host.crypto"
local idempotency = require "parley.http.idempotency"
local json = require "host.json"
local limit_headers = require "parley.limits.headers"
local limits = require "parley.limits"
local meters = require "parley.ops.meters"
local new_table = require "table.new"
local problem = require "parley.http.problem"
local task = require "host.task"
local time = require "host.time"

local M = {}

local CONTEXT = 16 -- fields of a request's context in the end: so large from the first on
local NESTING = 32 -- of a body, as the contract says

local TOKEN_HEADERS = {
  bot = "x-bot-token", plg = "x-plugin-token", reg = "x-api-key", adm = "x-admin-token",
}

-- What has one value: of two, a proxy in front may have looked at the other one.
local SINGLE = {
  "Authorization", "X-Bot-Token", "X-Plugin-Token", "X-API-Key", "X-Admin-Token",
  "Idempotency-Key", "Content-Type", "Content-Encoding",
}

local function check_headers(req)
  if req:count(unpack(SINGLE)) <= 1 then return true end
  for _, name in ipairs(SINGLE) do
    if req:count(name) > 1 then
      return nil, { code = "bad_request", message = "the header " .. name .. " stands twice" }
    end
  end
end

-- W3C Trace Context, version 00: small letters, and neither the trace nor its parent is all zeros.
local function trace_of(req)
  local header = req:header "traceparent"
  if header and #header == 55 and not header:find "%u" then
    local id, parent = header:match "^00%-(%x+)%-(%x+)%-%x%x$"
    if id and #id == 32 and not id:find "^0+$" and not parent:find "^0+$" then return id end
  end
  return crypto.trace_id()
end

local function token_of(req, kind)
  local bearer = req:header "authorization"
  if bearer then return bearer:match "^[Bb]earer ([%w_]+)$" end
  return req:header(TOKEN_HEADERS[kind])
end

local function authorize(self, ctx, route)
  local who, err = self.verify:identify(token_of(ctx.req, route.auth))
  if not who then return nil, err end
  if who.kind ~= route.auth and who.kind ~= "adm" then
    return nil, { code = "forbidden", message = "this token is of kind '" .. who.kind .. "'" }
  end
  for _, scope in ipairs(route.scopes or {}) do
    if not who.scopes[scope] and not who.scopes.admin then
      return nil, { code = "forbidden", message = "the token lacks the scope '" .. scope .. "'" }
    end
  end
  ctx.who = who
  return true
end

-- A request that is one too many may still repeat one that was answered: then it goes on as far as
-- that answer (ctx.refused). Nothing else of it is looked at.
local function count(self, ctx, route)
  local kind = limit_headers.kind_of(ctx.who.kind)
  if not kind or kind == "application/json" then return true end
  local verdict, err = self.limits:take(kind, ctx.who.id)
  if err then return nil, err end
  ctx.verdicts[1] = verdict
  if not verdict or verdict.allowed then return true end
  ctx.refused = limits.refusal(verdict)
  if route.repeatable or idempotency.key_of(ctx, route) then return true end
  return nil, ctx.refused
end

-- JSON is UTF-8 (RFC 8259 section 8.1), and a body that is packed is not read.
local function is_json(req)
  local kind = req:header "content-type"
  local encoding = req:header "content-encoding"
  if encoding and encoding:lower() ~= "identity" then return false end
  if not kind or kind == "application/json" then return true end
  kind = kind:lower():gsub("%s+", "")
  return kind == "application/json" or kind == "application/json;charset=utf-8"
    or kind == 'application/json;charset="utf-8"'
end

local function read_body(ctx, route)
  local text = ctx.req:body()
  if text == "" and route.body_optional then text = "{}" end
  if not is_json(ctx.req) then
    return nil, {
      code = "unsupported_media_type",
      message = "the body must be application/json in UTF-8, not packed",
    }
  end
  local value, err = json.decode(text, { max_depth = NESTING })
  if value == nil then return nil, err end
  local errors = route.validate(value)
  if errors then
    return nil, {
      code = "validation_failed", errors = errors,
      message = ("%s: %s"):format(errors[1].path == "" and "the body" or errors[1].path,
        errors[1].message),
    }
  end
  ctx.body, ctx.body_text = value, text
  return true
end

local function dispatch(self, ctx, method, path)
  local route, params, allow = self.router:match(method, path)
  if not route then
    return nil, {
      code = params, message = method .. " " .. path:sub(1, 200),
      headers = allow and "Allow: " .. allow .. "\r\n",
    }
  end
  ctx.route, ctx.params = route, params
  local ok, err = check_headers(ctx.req)
  if not ok then return nil, err end
  if route.auth then
    ok, err = authorize(self, ctx, route)
    if not ok then
      meters.auth_failures:with(err.code):inc()
      return nil, err
    end
    ok, err = count(self, ctx, route)
    if not ok then return nil, err end
  elseif route.admit then
    ok, err = route.admit(ctx)
    if not ok then return nil, err end
  end
  if route.read_query then
    ctx.args, err = route.read_query(ctx.query)
    if not ctx.args then return nil, err end
  end
  if route.validate then
    ok, err = read_body(ctx, route)
    if not ok then return nil, err end
  end
  return idempotency.run(self.db, ctx, route, M.json)
end

local JSON_HEADERS = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
  .. "X-Content-Type-Options: nosniff\r\nX-Trace-Id: "

---Answers with JSON.
---@param ctx table
---@param status integer
---@param text string encoded JSON
---@param headers string|nil further lines
function M.json(ctx, status, text, headers)
  ctx.status = status
  ctx.req:respond(status, JSON_HEADERS .. ctx.trace_id .. "\r\n"
    .. limit_headers.lines(ctx.verdicts) .. (headers or ""), text)
  return true
end

---@param deps {router: table, verify: table, limits: table, db: table, log: function,
---  level: fun(): string}
---@return fun(req: table, method: string, path: string, query: string|nil) for host.http_server
function M.new(deps)
  local self = deps
  return function(req, method, path, query)
    local ctx = new_table(0, CONTEXT)
    ctx.req, ctx.method, ctx.path, ctx.query = req, method, path, query
    ctx.trace_id, ctx.verdicts = trace_of(req), {}
    local since = time.mono()
    task.trace(ctx.trace_id)
    local good, ok, err = xpcall(dispatch, debug.traceback, self, ctx, method, path)
    if not good then
      self.log("error", "request failed", {
        method = method, path = path, error = ok, trace_id = ctx.trace_id,
      })
      ok, err = nil, { code = "internal" }
    end
    if not ok and not ctx.status then
      ctx.status =
        problem.respond(req, ctx.trace_id, err, limit_headers.lines(ctx.verdicts))
      if ctx.status >= 500 and good and not (ctx.route and ctx.route.quiet) then
        self.log("error", "request failed", {
          method = method, path = path, code = err.code, error = err.message,
          trace_id = ctx.trace_id,
        })
      end
    end
    meters.http(ctx.route and ctx.route.path, method, ctx.status, time.mono() - since)
    if self.level() == "debug" then
      self.log("debug", "request", {
        method = method, path = path, status = ctx.status, trace_id = ctx.trace_id,
      })
    end
  end
end

return M
