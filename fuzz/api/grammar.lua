-- Requests to the HTTP API, made from what its routes declare and then changed: other values, other
-- fields, broken text, bytes that do not belong into a path or a header.

local chance = require "fuzz.lib.chance"
local fs = require "host.fs"
local json = require "host.json"

local M = {}

local TEXTS = {
  "", "a", "hello", "/echo hi", "/start", "héllo", "\0", "a\0b", "\255", "\237\160\128", ("x"):rep(300), ("x"):rep(20000),
  "d1", "echo", "fuzzed", "alice", "2026-11-21T08:00:00Z", "2026-02-30T00:00:00Z", "https://example.org/a",
  "00000000-0000-7000-8000-000000000000", "null", "' OR 1=1 --", "%s%n", "en", "error", "dialogs:read",
}

local NUMBERS = { 0, 1, -1, 1.5, 2, 50, 200, 201, 1e15, 2 ^ 53, -2 ^ 53, 1e308, 4102444800 }

local IDS = {
  dialog_id = { "d1", "d2", "d3", "new", "a b", "%d0%b6" }, plugin_id = { "echo", "faq", "fuzzed", "vendor", "none" },
  token_id = { "SPARE" }, token = { "0123456789abcdef" },
}

local ODD = { "%ff", "%00", "{}", "..", "%2f", "%", ("x"):rep(300), "-", "*", "%0d%0a" }

local HEADERS = {
  ["Content-Type"] = { "application/json", "text/plain", "application/json; charset=utf-8", "application/xml", "\255" },
  ["Idempotency-Key"] = { "k1", "k2", "", ("k"):rep(500), "\255", "a b" },
  ["X-Trace-Id"] = { ("a"):rep(32), "short", ("z"):rep(32), "\255" },
  traceparent = { "00-" .. ("a"):rep(32) .. "-" .. ("b"):rep(16) .. "-01", "00-x", "" },
  ["Content-Encoding"] = { "gzip", "identity" }, ["Accept-Language"] = { "ru", "*;q=0", "\255" },
}

local MANIFESTS = {}
for _, name in ipairs(fs.list "fuzz/seeds/manifest") do
  MANIFESTS[#MANIFESTS + 1] = json.decode(assert(fs.read("fuzz/seeds/manifest/" .. name)))
end

local function keys_of(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local G = {}
G.__index = G

---Anything, of any type.
function G:anything(depth)
  local kind = self.random:int(1, 8)
  if kind <= 3 then return self.random:one_of(TEXTS) end
  if kind <= 5 then return self.random:one_of(NUMBERS) end
  if kind == 6 then return self.random:one_of { true, false, json.null } end
  if depth > 3 then return json.array() end
  local out = kind == 7 and json.array() or {}
  for i = 1, self.random:int(0, 3) do
    out[kind == 7 and i or self.random:one_of(TEXTS)] = self:anything(depth + 1)
  end
  return out
end

local MAKE = {
  string = function(g) return g.random:one_of(TEXTS) end,
  number = function(g) return g.random:one_of(NUMBERS) end,
  integer = function(g) return g.random:one_of(NUMBERS) end,
  boolean = function(g) return g.random:one_in(2) end,
  null = function() return json.null end,
}

function MAKE.array(g, schema, depth)
  local out = json.array()
  for i = 1, g.random:int(0, 3) do out[i] = g:value(schema.items or {}, depth + 1) end
  return out
end

function MAKE.object(g, schema, depth)
  local out, needed = {}, {}
  for _, name in ipairs(schema.required or {}) do needed[name] = true end
  for _, name in ipairs(keys_of(schema.properties or {})) do
    if needed[name] and not g.random:one_in(20) or g.random:one_in(3) then
      out[name] = g:value(schema.properties[name], depth + 1)
    end
  end
  if g.random:one_in(8) then out[g.random:one_of(TEXTS)] = g:anything(depth) end
  return out
end

---A value of a schema, mostly.
function G:value(schema, depth)
  if self.random:one_in(12) then return self:anything(depth) end
  if schema.const ~= nil then return schema.const end
  if schema.enum then return self.random:one_of(schema.enum) end
  if schema.anyOf then return self:value(self.random:one_of(schema.anyOf), depth) end
  if depth > 8 then return self:anything(depth) end
  local kind = type(schema.type) == "table" and self.random:one_of(schema.type) or schema.type
  return MAKE[kind] and MAKE[kind](self, schema, depth) or self:anything(depth)
end

-- A manifest that is good but for a field or two.
function G:manifest()
  local out = {}
  for key, value in pairs(self.random:one_of(MANIFESTS)) do out[key] = value end
  local keys = keys_of(out)
  for _ = 1, self.random:int(0, 2) do out[self.random:one_of(keys)] = self:anything(0) end
  if out.endpoint then out.endpoint = "http://127.0.0.1:1/" end
  return out
end

function G:body(route)
  local value = self:value(route.request, 0)
  if type(value) == "table" and value.manifest ~= nil then value.manifest = self:manifest() end
  local text = json.encode(value) or "{}"
  if self.random:one_in(10) then
    local at = self.random:int(1, #text)
    text = text:sub(1, at - 1) .. self.random:bytes(4) .. text:sub(at + self.random:int(0, 2))
  end
  return text
end

function G:query(route)
  local parts = {}
  for _, p in ipairs(route.query or {}) do
    if self.random:one_in(3) then
      local value = tostring(self:value(p.schema, 5)):gsub("[^%w%-_.]", function(c) return ("%%%02X"):format(c:byte()) end)
      parts[#parts + 1] = p.name .. "=" .. value
    end
  end
  if self.random:one_in(20) then parts[#parts + 1] = self.random:one_of { "x=1", "&&", "limit", "%zz=%", "limit=1&limit=2" } end
  return #parts > 0 and "?" .. table.concat(parts, "&"):sub(1, 4000) or ""
end

local function request(g, routes)
  local route = g.random:one_of(routes)
  local path = route.path:gsub("{([%w_]+)}", function(name)
    return g.random:one_in(6) and g.random:one_of(ODD) or g.random:one_of(IDS[name] or { "x" })
  end)
  local headers = {}
  for _, name in ipairs(keys_of(HEADERS)) do
    if g.random:one_in(8) then headers[#headers + 1] = ("[%q] = %q"):format(name, g.random:one_of(HEADERS[name])) end
  end
  local method = g.random:one_in(30) and g.random:one_of { "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH" } or route.method
  local auth = g.random:one_in(20) and g.random:one_of { "adm", "bot", "plg", "reg" } or route.auth or "bot"
  return ("  { method = %q, path = %q, auth = %q, body = %q, headers = { %s } },"):format(method, path .. g:query(route), auth,
    route.request and g:body(route) or "", table.concat(headers, ", ")):gsub("\\\n", "\\n"):gsub("%z", "\\0")
end

---A few requests, one after the other.
---@param seed integer
---@param number integer
---@param routes table[] of the router, in order
---@return string source of a list of requests
function M.case(seed, number, routes)
  local g = setmetatable({ random = chance.new(seed, number) }, G)
  local lines = { "return {" }
  for _ = 1, g.random:int(1, 6) do lines[#lines + 1] = (request(g, routes)) end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

return M
