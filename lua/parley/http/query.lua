-- The query of a request, read by what its route declares: `?limit=20&cursor=...`.
--
-- An empty value is an absent one. Unknown parameters and those that stand twice are refused, like
-- unknown fields of a body: a misspelt filter would otherwise quietly filter nothing.

local compile = require("parley.schema.compile").compile
local rfc3339 = require "parley.util.rfc3339"
local suggest = require "parley.util.suggest"

local M = {}

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(h) return string.char(tonumber(h, 16)) end))
end

local function fail(name, code, message)
  return nil, {
    code = "validation_failed", message = name .. ": " .. message,
    errors = { { path = "?" .. name, code = code, message = message } },
  }
end

-- A reader of one parameter: text -> value | nil, code, message.
local function reader(parameter)
  local schema = parameter.schema
  local check = compile(schema)
  return function(text)
    local value = text
    if schema.type == "integer" then
      value = text:find "^%d+$" and #text <= 15 and tonumber(text)
      if not value then return nil, "type", "a whole number expected" end
    end
    local errors = check(value)
    if errors then return nil, errors[1].code, errors[1].message end
    if schema.format == "date-time" then value = rfc3339.parse(value) end
    return value
  end
end

---@param parameters {name: string, description: string, schema: table}[] of a route
---@return fun(query: string|nil): table|nil, table|nil read the values by name, times in
--- milliseconds; or the problem
function M.compile(parameters)
  local readers = {}
  for _, p in ipairs(parameters) do readers[p.name] = reader(p) end
  return function(query)
    local out = {}
    for pair in (query or ""):gmatch "[^&]+" do
      local name, text = pair:match "^([^=]*)=?(.*)$"
      name, text = unescape(name), unescape(text)
      local read = readers[name]
      if not read then
        local shown = name:gsub("[^%w_]", "?"):sub(1, 40)
        return fail(shown, "unknown_parameter", "is not a known parameter."
          .. suggest.hint(shown, readers))
      end
      if text ~= "" then
        if out[name] ~= nil then return fail(name, "duplicate", "stands twice") end
        local value, code, message = read(text)
        if value == nil then return fail(name, code, message) end
        out[name] = value
      end
    end
    return out
  end
end

return M
