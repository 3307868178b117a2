-- The OpenAPI 3.1 document, made from the route declarations: what it says is what is checked.

local fs = require "host.fs"
local idempotency = require "parley.http.idempotency"
local json = require "host.json"
local limits = require "parley.limits.headers"
local manifest = require "parley.schema.manifest"
local problem = require "parley.http.problem"
local schema = require "parley.schema.v1alpha"

local M = {}

local HEADERS = {
  bot = "X-Bot-Token", plg = "X-Plugin-Token", reg = "X-API-Key", adm = "X-Admin-Token",
}

-- What a parameter of a path is.
local PARAMETERS = {
  link = {
    description = "of a call to the plugin (`files`), signed",
    schema = { type = "string", pattern = "^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$" },
  },
  token = {
    description = "the plugin's own, from its answer 202",
    schema = { type = "string", pattern = "^[A-Za-z0-9._~-]{16,128}$" },
  },
  dialog_id = {
    description = "the client's own; a dialog begins with its first message",
    schema = { type = "string", pattern = "^[A-Za-z0-9._:-]{1,64}$" },
  },
  letter_id = {
    description = "as the list of dead letters has it",
    schema = { type = "string", maxLength = 64 },
  },
  broadcast_id = {
    description = "as it was made", schema = { type = "string", pattern = "^[A-Za-z0-9-]{1,64}$" },
  },
  user_id = {
    description = "as it was made", schema = { type = "string", pattern = "^[A-Za-z0-9-]{1,64}$" },
  },
  plugin_id = {
    description = "the name of the plugin",
    schema = { type = "string", pattern = "^[a-z][a-z0-9_]{1,39}$" },
  },
  bot = {
    description = "how the host calls the bot",
    schema = { type = "string", pattern = "^[a-z][a-z0-9_]{0,31}$" },
  },
  token_id = {
    description = "the second part of a token, as lists show it",
    schema = { type = "string", pattern = "^[A-Za-z0-9]{1,40}$" },
  },
}

-- Lua patterns are no regular expressions: the few that stand in schemas, translated.
local PATTERNS = {
  ["^[^/]*$"] = "^[^/]*$",
  ["^%a%a%a?[%-_%w]*$"] = "^[A-Za-z]{2,3}[-_A-Za-z0-9]*$",
  ["^[%w._~-]+$"] = "^[A-Za-z0-9._~-]+$",
  ["^[%w._:%-]+$"] = "^[A-Za-z0-9._:-]+$",
  ["^[%da-f]+$"] = "^[0-9a-f]+$",
  ["^%a[%w_.]*$"] = "^[A-Za-z][A-Za-z0-9_.]*$",
  ["^[%w-]+$"] = "^[A-Za-z0-9-]+$",
  ["^%l[%l%d_]*$"] = "^[a-z][a-z0-9_]*$",
  ["^[%w_]+$"] = "^[A-Za-z0-9_]+$",
  ["^[%w_.:%-]+$"] = "^[A-Za-z0-9_.:-]+$",
  ["^[%w_.]+$"] = "^[A-Za-z0-9_.]+$",
  ["^%l[%l%d_]+$"] = "^[a-z][a-z0-9_]+$",
  ["^%l[%w_]*$"] = "^[a-z][A-Za-z0-9_]*$",
  ["^%a[%w_.-]*$"] = "^[A-Za-z][A-Za-z0-9_.-]*$",
  ["^https?://"] = "^https?://",
}

-- A schema as it goes out. Named ones become components and are referred to.
local function export(s, components, top)
  s = s["x-documented-as"] or s
  if s.title and not top then
    if not components[s.title] then
      components[s.title] = {} -- before its members: a schema may hold itself
      components[s.title] = export(s, components, true)
    end
    return { ["$ref"] = "#/components/schemas/" .. s.title }
  end
  local out = {}
  for key, value in pairs(s) do
    if key == "properties" then
      out.properties = {}
      for name, sub in pairs(value) do out.properties[name] = export(sub, components) end
    elseif key == "items" then
      out.items = export(value, components)
    elseif key == "anyOf" then
      out.anyOf = json.array()
      for i, sub in ipairs(value) do out.anyOf[i] = export(sub, components) end
    elseif key == "additionalProperties" and type(value) == "table" then
      out.additionalProperties = export(value, components)
    elseif key == "pattern" then
      out.pattern = assert(PATTERNS[value], "no regular expression is known for " .. value)
    elseif key == "required" or key == "enum" or key == "examples" then
      out[key] = json.array { unpack(value) }
    else
      out[key] = value
    end
  end
  return out
end

local function content(s, components)
  return { ["application/json"] = { schema = export(s, components) } }
end

-- The problems of a route, by status: its own and those that its declaration brings with it.
local function problems_of(route)
  local codes = { "internal", "unavailable", "busy", "timeout", "disk_full", "storage_failed" }
  codes[#codes + 1] = "bad_request"
  if route.auth then
    codes[#codes + 1] = "unauthorized"
    codes[#codes + 1] = "forbidden"
  end
  if limits.counts(route) then codes[#codes + 1] = "rate_limited" end
  if route.request then
    for _, code in ipairs {
      "invalid_json", "invalid_utf8", "too_deep", "number_out_of_range", "validation_failed",
      "too_large", "unsupported_media_type",
    } do codes[#codes + 1] = code end
  end
  if route.query and not route.request then codes[#codes + 1] = "validation_failed" end
  if idempotency.applies(route) then codes[#codes + 1] = "idempotency_mismatch" end
  for _, code in ipairs(route.problems or {}) do codes[#codes + 1] = code end
  local by_status = {}
  for _, code in ipairs(codes) do
    local known = assert(problem.CODES[code], "no such problem: " .. code)
    local list = by_status[known[1]] or {}
    by_status[known[1]] = list
    list[#list + 1] = code
  end
  return by_status
end

-- Of every answer; of one that is counted where there is a limit.
local function headers_of(route)
  local out = { ["X-Trace-Id"] = { schema = { type = "string", pattern = "^[0-9a-f]{32}$" } } }
  if not limits.counts(route) then return out end
  for name, description in pairs(limits.FIELDS) do
    out[name] = { description = description, schema = { type = "string" } }
  end
  return out
end

local function responses(route, components)
  local out = {}
  for status, text in pairs(route.statuses or { [200] = "Done" }) do
    out[tostring(status)] = {
      description = text, content = route.response and content(route.response, components) or nil,
      headers = headers_of(route),
    }
  end
  for status, codes in pairs(problems_of(route)) do
    table.sort(codes)
    out[tostring(status)] = {
      description = table.concat(codes, ", "), headers = headers_of(route),
      content = {
        ["application/problem+json"] = { schema = export(schema.ProblemV1, components) },
      },
    }
  end
  return out
end

local function parameters(route)
  local out = json.array()
  for _, name in ipairs(route.parameters) do
    local p = assert(PARAMETERS[name], "a parameter that nobody describes: " .. name)
    out[#out + 1] = {
      name = name, ["in"] = "path", required = true, description = p.description,
      schema = p.schema,
    }
  end
  for _, p in ipairs(route.query or {}) do
    out[#out + 1] = {
      name = p.name, ["in"] = "query", description = p.description, schema = p.schema,
    }
  end
  if idempotency.applies(route) then
    out[#out + 1] = {
      name = "Idempotency-Key", ["in"] = "header",
      description = "sent again within 24 hours: the first answer again, and no second effect",
      schema = { type = "string", pattern = "^[!-~]{1,128}$" },
    }
  end
  return out
end

local function operation(route, components)
  local name = route.path:gsub("^/api/v1/", ""):gsub("[{}]", ""):gsub("[^%w]+", "_")
  return {
    operationId = route.method:lower() .. "_" .. name, summary = route.summary,
    description = route.scopes and "Scopes: " .. table.concat(route.scopes, ", ") or nil,
    parameters = parameters(route), responses = responses(route, components),
    requestBody = route.request and {
      required = not route.body_optional, content = content(route.request, components),
    } or nil,
    security = route.auth and json.array {
      { [route.auth] = json.array(route.scopes and { unpack(route.scopes) } or {}) },
      { bearer = json.array() },
    } or json.array(),
  }
end

-- What Parley asks of a REST plugin, below its endpoint.
local function webhooks(components)
  local function answer(s)
    return { ["200"] = { description = "The answer", content = content(s, components) } }
  end
  return {
    invoke = {
      post = {
        summary = "POST {endpoint}/invoke, signed (docs/rest-plugins.md)",
        requestBody = { required = true, content = content(schema.InvokeRequestV1, components) },
        responses = answer(schema.InvokeResponseV1),
      },
    },
    manifest = {
      get = {
        summary = "GET {endpoint}/manifest", responses = answer(manifest.manifest),
      },
    },
  }
end

---@param routes table[] of parley.http.router
---@return table document
function M.document(routes)
  local components, paths = {}, {}
  for _, route in ipairs(routes) do
    if not route.hidden then
      paths[route.path] = paths[route.path] or {}
      paths[route.path][route.method:lower()] = operation(route, components)
    end
  end
  export(schema.HealthV1, components) -- of the other listener
  local schemes = { bearer = { type = "http", scheme = "bearer" } }
  for kind, header in pairs(HEADERS) do
    schemes[kind] = { type = "apiKey", ["in"] = "header", name = header }
  end
  return {
    openapi = "3.1.0",
    info = {
      title = "Parley", version = fs.version(),
      description = "Send messages of users, get the replies of plugins.",
    },
    webhooks = webhooks(components),
    paths = paths, components = { schemas = components, securitySchemes = schemes },
  }
end

return M
