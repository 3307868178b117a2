-- http: requests of a plugin to the hosts that its manifest names.

local gate = require "parley.plugins.gate"
local http = require "host.http_client"
local json = require "host.json"
local time = require "host.time"

local TIMEOUT = 10 -- seconds, at most what is left of the event's deadline
local BODY_MAX = 1024 * 1024
local ANSWER_MAX = 960 * 1024 -- bytes of text; its headers fit through the door beside them

local METHODS = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
}
local SAFE = { GET = true, HEAD = true } -- RFC 9110 section 9.2.1: they ask for no effect

-- Headers that say how the message is framed or who asks are not for plugins.
local FORBIDDEN = {
  host = true, connection = true, ["content-length"] = true, ["transfer-encoding"] = true,
  te = true, upgrade = true, expect = true, ["proxy-authorization"] = true, traceparent = true,
}

local PORTS = { http = "80", https = "443" }

-- What is checked here is what libcurl will connect to: nothing but a plain host and port passes.
local function parse(url)
  if type(url) ~= "string" or #url > 8192 then return nil end
  local scheme, host, port, rest = url:match "^(https?)://([%w.-]+):?(%d*)([/?]?.*)$"
  if not scheme or rest:find "[%s%c\\]" then return nil end
  if rest ~= "" and not rest:find "^[/?]" then return nil end
  return scheme, host:lower(), port ~= "" and port or PORTS[scheme]
end

local function matches(pattern, scheme, host, port)
  local name, wanted = pattern:match "^http:([^:]+):?(%d*)$"
  if not name then return false end
  if (wanted ~= "" and wanted or PORTS[scheme]) ~= port then return false end
  name = name:lower()
  local suffix = name:match "^%*(%..+)$"
  if suffix then return #host > #suffix and host:sub(-#suffix) == suffix end
  return host == name
end

local function permitted(manifest, url)
  local scheme, host, port = parse(url)
  if not scheme then
    return gate.refuse("invalid", "http: a URL like https://api.example.org/path expected")
  end
  for _, permission in ipairs(manifest.permissions) do
    if matches(permission, scheme, host, port) then return true end
  end
  local name = port == PORTS[scheme] and host or host .. ":" .. port
  return gate.refuse("permission", "http: '%s' needs the permission 'http:%s': add it to "
    .. "\"permissions\" in manifest.json", name, name)
end

-- A value of a header; a handle becomes the secret that the operator has set.
local function resolve(invocation, value)
  if type(value) == "string" or type(value) == "number" then return tostring(value) end
  local name = type(value) == "table" and value.__secret
  if type(name) ~= "string" then
    return gate.refuse("invalid", "http: a header is a text, a number or a secret")
  end
  for _, declared in ipairs(invocation.manifest.secrets) do
    if declared == name then
      local secret = invocation.config.secrets[name]
      if secret then return secret end
      return gate.refuse("permission", "http: the operator has not set secrets.%s in "
        .. "conf/parley.lua", name)
    end
  end
  return gate.refuse("permission", "http: '%s' is not among \"secrets\" in manifest.json", name)
end

local function headers_of(invocation, request)
  local out = {}
  if request.headers ~= nil and type(request.headers) ~= "table" then
    return gate.refuse("invalid", "http: headers: a table expected")
  end
  for name, value in pairs(request.headers or {}) do
    if type(name) ~= "string" or FORBIDDEN[name:lower()] then
      return gate.refuse("permission", "http: the header '%s' is the host's", tostring(name))
    end
    local text, err = resolve(invocation, value)
    if not text then return nil, err end
    out[name] = text
  end
  if request.auth ~= nil then
    local text, err = resolve(invocation, request.auth)
    if not text then return nil, err end
    out.Authorization = "Bearer " .. text
  end
  out.traceparent = ("00-%s-%s-01"):format(invocation.trace_id, invocation.trace_id:sub(1, 16))
  return out
end

-- A table is sent as JSON.
local function body_of(request, headers)
  local body = request.body
  if request.json ~= nil then body = request.json end
  if body == nil then return nil end
  if type(body) ~= "table" then
    body = tostring(body)
  else
    local err
    body, err = json.encode(body)
    if not body then return gate.refuse("invalid", "http: body: %s", err.message) end
    headers["Content-Type"] = headers["Content-Type"] or "application/json"
  end
  if #body > BODY_MAX then
    return gate.refuse("too_large", "http: the body has %d bytes, at most %d are allowed", #body,
      BODY_MAX)
  end
  return body
end

-- The address is refused by the network below, which does not know who could allow it.
local function refused(invocation, err)
  if err.code ~= "private_address" then return nil, err end
  return gate.refuse(err.code, "http: %s unless the operator sets plugins.%s.allow_private = true "
    .. "in conf/parley.lua", err.message, invocation.manifest.name)
end

-- Long JSON does not fit through the door twice: what was decoded stands for the text.
local function answer(r)
  local kind = (r.headers["content-type"] or ""):lower()
  local out = { status = r.status, headers = r.headers, body = r.body, ok = r.status < 300 }
  if kind:find "^application/json" or kind:find "^application/[%w.-]+%+json" then
    out.json = json.decode(r.body, gate.JSON)
    if out.json ~= nil and 2 * #r.body > ANSWER_MAX then out.body = nil end
  end
  return out
end

local function run(invocation, request)
  if type(request) ~= "table" then return gate.refuse("invalid", "http: a table expected") end
  local method = request.method or "GET"
  if not METHODS[method] then return gate.refuse("invalid", "http: unknown method") end
  local ok, err = permitted(invocation.manifest, request.url)
  if not ok then return nil, err end
  invocation.requests = (invocation.requests or 0) + 1
  if invocation.requests > invocation.manifest.limits.http then
    return gate.refuse("quota", "http: more than %d requests in one event (limits.http)",
      invocation.manifest.limits.http)
  end
  local headers, body
  headers, err = headers_of(invocation, request)
  if not headers then return nil, err end
  body, err = body_of(request, headers)
  if err then return nil, err end
  if not SAFE[method] then
    ok, err = invocation:admit()
    if not ok then return nil, err end
  end
  local left = invocation.deadline - time.live()
  local wanted = type(request.timeout) == "number" and request.timeout or TIMEOUT
  local r
  -- The testkit has something else in the place of the network.
  r, err = (invocation.config.http_request or http.request) {
    method = method, url = request.url, headers = headers, body = body, max_body = ANSWER_MAX,
    timeout = math.max(0.001, math.min(wanted, TIMEOUT, left)), connect_timeout = 5,
    allow_private = invocation.settings.allow_private,
    once = not SAFE[method], -- an order that is placed twice is worse than an error
  }
  if not r then return refused(invocation, err) end
  return answer(r)
end

gate.register("http", { run = run })
