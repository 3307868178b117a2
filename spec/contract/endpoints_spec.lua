-- Every endpoint against every wrong token and every wrong field: the cases come from the routes and their
-- schemas, so that a new endpoint is held to them from its first day.

local host = require "spec.support.host"
local idempotency = require "parley.http.idempotency"
local json = require "host.json"
local registration = require "spec.support.registration"
local time = require "host.time"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

local TABLES = {
  "users", "dialogs", "messages", "plugins", "plugin_calls", "plugin_events", "audit_logs", "inbox", "jobs", "tokens",
  "idempotency", "kv", "dead_letters",
}
local HEADERS = { bot = "X-Bot-Token", plg = "X-Plugin-Token", reg = "X-API-Key", adm = "X-Admin-Token" }
local OTHER = { bot = "plg", plg = "bot", reg = "bot", adm = "bot" }
local PARAMETERS = {
  dialog_id = "d", plugin_id = "dice", token_id = "0123456789ABCDEF", token = "t", bot = "shop", broadcast_id = "b",
  user_id = "u",
  letter_id = "l",
}

-- A body that is right, where the schema has no example.
local BODIES = {
  PluginRegistrationRequestV1 = { manifest = registration.manifest { name = "fresh" } },
  DialogResetRequestV1 = { reason = "x" }, TokenRotateV1 = {}, ReasonV1 = { reason = "x" }, ReloadRequestV1 = {},
  BotChangeV1 = { state = "paused" }, BroadcastStartV1 = {},
  DeadLetterPurgeV1 = { kind = "job" },
}

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

-- The wrong values of a field, and what is said of each.
local WRONG = {
  string = { 5, {}, true }, integer = { "5", 1.5, true }, number = { "5", true }, boolean = { "true", 1 },
  object = { "x", json.array { 1 } }, array = { "x", { a = 1 } },
}

local function deep(n) return ("["):rep(n) .. ("]"):rep(n) end

local function bounds(schema, add)
  if schema.enum then add("nobody", "enum") end
  if schema.type == "string" and not schema.enum then add("a\0b", "nul") end
  if schema.maxLength and not schema.enum then add(("x"):rep(schema.maxLength + 1), "max_length") end
  if schema.minLength == 1 then add("", "min_length") end
  if schema.format then add("yesterday", "format") end
  if schema.pattern then add("!", schema.minLength and schema.minLength > 1 and "min_length" or "pattern") end
  if schema.minimum then add(schema.minimum - 1, "minimum") end
  if schema.maximum and schema.maximum < 2 ^ 53 - 1 then add(schema.maximum + 1, "maximum") end
  if schema["x-max-bytes"] then add({ x = ("x"):rep(schema["x-max-bytes"]) }, "too_large") end
  if schema.minItems == 1 then add(json.array(), "min_items") end
  if schema.maxItems then
    local list = json.array()
    for i = 1, schema.maxItems + 1 do list[i] = schema.items.enum and schema.items.enum[1] or 1 end
    add(list, "max_items")
  end
  if schema.items and schema.items.type == "string" then
    add(json.array { 5 }, "type", "/0")
    if schema.items.enum then add(json.array { "no such word" }, "enum", "/0") end
    if schema.items.pattern then add(json.array { "!" }, "pattern", "/0") end
  end
end

-- Calls add(path, value, code, [where]) for each value that is wrong at a path of an object, and for those
-- of the objects in it; `where` is where it is complained of, when not at the path itself.
local function wrong_values(schema, good, at, add)
  for _, name in ipairs(schema.required or {}) do add(at .. "/" .. name, nil, "required") end
  for name, field in pairs(schema.properties) do
    local path = at .. "/" .. name
    local kind = type(field.type) == "table" and field.type[1] or field.type -- one that may be null, too
    if kind == field.type then add(path, json.null, "type") end
    for _, value in ipairs(WRONG[kind]) do add(path, value, "type") end
    bounds(field, function(value, code, behind) add(path, value, code, path .. (behind or "")) end)
    if field.properties and good[name] then wrong_values(field, good[name], path, add) end
  end
  if schema.additionalProperties == false then add(at .. "/surprise", 1, "unknown_field") end
end

-- All wrong bodies of a schema: {what, body, path, code}.
local function wrong_bodies(schema, good)
  local out = { { what = "a list", body = "[1]" }, { what = "a text", body = '"x"' }, { what = "null", body = "null" } }
  wrong_values(schema, good, "", function(path, value, code, where)
    local body = copy(good)
    local object, last = body, path:match "([^/]+)$"
    for name in path:sub(1, -#last - 2):gmatch "[^/]+" do object = object[name] end
    object[last] = value
    out[#out + 1] = { what = path .. ": " .. code, body = body, path = where or path, code = code }
  end)
  return out
end

describe("every endpoint", function()
  local h, plugin_token, clients
  setup(function()
    h = host.start { config = "return { allow_private_plugins = true }" }
    plugin_token = registration.register(h, { endpoint = "http://127.0.0.1:9" }).token
    clients = {}
    for kind in pairs(HEADERS) do clients[kind] = h:make_token(token.SCOPES, kind) end
  end)
  teardown(function() h:stop() end)

  local function stored()
    local out = {}
    for i, name in ipairs(TABLES) do out[i] = name .. " " .. h:count(name) end
    return table.concat(out, ", ")
  end

  local function path_of(route)
    return (route.path:gsub("{([%w_]+)}", function(name)
      return assert(PARAMETERS[name], "a parameter that this spec does not know: " .. name)
    end))
  end

  -- The object that a body is, and a right one.
  local function body_of(route)
    local schema = route.request
    if not schema then return nil end
    if schema.anyOf then schema = schema.anyOf[1] end
    local good = schema.examples and schema.examples[1] or BODIES[schema.title]
    return schema, assert(good, "no right body is known for " .. schema.title)
  end

  local function send(route, secret, body, header)
    return h:request(route.method, path_of(route), body, {
      token = false, headers = secret and { [header or HEADERS[route.auth]] = secret },
    })
  end

  -- The status and the code, and nothing stored.
  local function refused(status, code, what, request)
    local before = stored()
    local r = request()
    assert.same({ status, code }, { r.status, r.body and r.body.code }, what .. ": " .. r.text)
    assert.equal("application/problem+json", r.headers["content-type"])
    assert.equal(r.headers["x-trace-id"], r.body.trace_id)
    assert.equal(before, stored(), what)
    return r
  end

  local function each(fn)
    local n = 0
    for _, route in ipairs(h.core.router.routes) do
      if not route.hidden and route.auth then
        n = n + 1
        fn(route, route.method .. " " .. route.path)
      end
    end
    assert.is_true(n >= 17, "there are fewer routes than the contract has")
  end

  it("refuses whoever has no good token", function()
    each(function(route, name)
      local _, body = body_of(route)
      local function unauthorized(what, secret, header)
        local r = refused(401, "unauthorized", name .. ": " .. what, function() return send(route, secret, body, header) end)
        assert.truthy(r.headers["www-authenticate"])
      end
      local good = h:make_token(token.SCOPES, route.auth)
      local revoked, id = h:make_token(token.SCOPES, route.auth)
      assert(h.core.db:commit { tokens.revoke(id) })
      local expired = h:make_token(token.SCOPES, route.auth, time.now_ms() - 1)
      unauthorized("no token", nil)
      unauthorized("an empty one", "")
      unauthorized("one of another form", "hunter2")
      unauthorized("one that nobody has", (token.generate(route.auth)))
      unauthorized("a secret with one letter changed", good:sub(1, -2) .. (good:sub(-1) == "0" and "1" or "0"))
      unauthorized("a revoked one", revoked)
      unauthorized("an expired one", expired)
      unauthorized("one in the header of another kind", good, HEADERS[OTHER[route.auth]])
      unauthorized("one behind Basic", "Basic " .. good, "Authorization")
    end)
  end)

  it("refuses a good token of another kind, or without the scope", function()
    each(function(route, name)
      local _, body = body_of(route)
      local other = h:make_token(token.SCOPES, OTHER[route.auth])
      refused(403, "forbidden", name .. ": another kind", function() return send(route, other, body) end)
      for _, scope in ipairs(route.scopes or {}) do
        local scopes = {}
        for _, s in ipairs(token.SCOPES) do if s ~= scope and s ~= "admin" then scopes[#scopes + 1] = s end end
        local poor = h:make_token(scopes, route.auth)
        local r = refused(403, "forbidden", name .. ": without " .. scope, function() return send(route, poor, body) end)
        assert.truthy(r.body.detail:find(scope, 1, true), r.text)
      end
    end)
  end)

  it("refuses each field that is missing, null, of another type, out of its bounds", function()
    local n = 0
    each(function(route, name)
      local schema, good = body_of(route)
      if not schema then return end
      for _, case in ipairs(wrong_bodies(schema, good)) do
        n = n + 1
        local what = name .. ": " .. case.what
        local r = refused(400, "validation_failed", what, function() return send(route, clients[route.auth], case.body) end)
        if case.path then
          local found = false
          for _, e in ipairs(r.body.errors) do
            found = found or (e.path == case.path and e.code == case.code)
          end
          assert.is_true(found, what .. ": " .. r.text)
        end
      end
    end)
    assert.is_true(n > 150, n .. " cases only")
  end)

  it("refuses what is no JSON, no UTF-8, too deep, or of another content type", function()
    each(function(route, name)
      if not route.request then return end
      local secret = clients[route.auth]
      for code, body in pairs {
        invalid_json = "{", invalid_utf8 = '{"a":"\255"}', too_deep = '{"a":' .. deep(40) .. "}",
        number_out_of_range = '{"a":1e999}',
      } do
        refused(400, code, name, function() return send(route, secret, body) end)
      end
      refused(415, "unsupported_media_type", name, function()
        return h:request(route.method, path_of(route), "<a/>",
          { token = false, type = "text/xml", headers = { [HEADERS[route.auth]] = secret } })
      end)
      if not idempotency.applies(route) then return end
      refused(400, "validation_failed", name .. ": Idempotency-Key", function()
        local _, body = body_of(route)
        return h:request(route.method, path_of(route), body,
          { token = false, headers = { [HEADERS[route.auth]] = secret, ["Idempotency-Key"] = ("k"):rep(129) } })
      end)
    end)
  end)

  it("refuses queries that it does not know", function()
    each(function(route, name)
      if not route.query then return end
      for _, query in ipairs { "surprise=1", "limit=0", "limit=x", "cursor=%00", "cursor=%ff" } do
        local known = query:match "^surprise"
        for _, p in ipairs(route.query) do known = known or query:match "^%w+" == p.name end
        if known then
          refused(400, "validation_failed", name .. "?" .. query, function()
            return h:request(route.method, path_of(route) .. "?" .. query, nil,
              { token = false, headers = { [HEADERS[route.auth]] = clients[route.auth] } })
          end)
        end
      end
    end)
  end)

  it("refuses a plugin at the paths of another", function()
    for path, body in pairs {
      ["/api/v1/plugins/echo/heartbeat"] = { status = "ok" },
      ["/api/v1/plugins/nobody/heartbeat"] = { status = "ok" },
      ["/api/v1/plugins/echo/events"] = { event_type = "x", severity = "info" },
      ["/api/v1/plugins/nobody/events"] = { event_type = "x", severity = "info" },
    } do
      refused(403, "forbidden", path, function()
        return h:request("POST", path, body, { token = false, headers = { ["X-Plugin-Token"] = plugin_token } })
      end)
    end
  end)

  it("says of each manifest's field what is wrong with it", function()
    for path, more in pairs {
      ["/manifest/schema"] = { schema = "v0" }, ["/manifest/name"] = { name = "No Name" },
      ["/manifest/version"] = { version = "1" }, ["/manifest/api"] = { api = "2" },
      ["/manifest/transport"] = { transport = "lua", endpoint = json.null },
      ["/manifest/endpoint"] = { endpoint = "nowhere" }, ["/manifest/commands/0/name"] = { commands = { { name = "/x" } } },
      ["/manifest/intents/0/examples/0"] = { intents = { { name = "a.b", examples = { 5 } } } },
      ["/manifest/limits/timeout_ms"] = { limits = { timeout_ms = 25001 } },
      ["/manifest/heartbeat_interval_sec"] = { heartbeat_interval_sec = 1 },
      ["/manifest/permissions/0"] = { permissions = { "everything" } },
      ["/manifest/priority"] = { priority = 1001 }, ["/manifest/on_error"] = { on_error = "panic" },
      ["/manifest/surprise"] = { surprise = true }, ["/manifest/title"] = { title = 5 },
      ["/manifest/patterns/0"] = { patterns = { "(" } },
    } do
      local r = refused(400, "validation_failed", path, function()
        return h:request("POST", registration.PATH, { manifest = registration.manifest(more) },
          { token = false, headers = { ["X-API-Key"] = clients.reg } })
      end)
      assert.equal(path, r.body.errors[1].path, r.text)
    end
  end)
end)
