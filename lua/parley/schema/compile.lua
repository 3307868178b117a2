-- JSON Schema 2020-12 (the keywords that our schemas use) compiled to closures.
--
-- A checker is fun(value, path, errors); it appends {path = JSON Pointer, code, message}. Where
-- something is wrong is asked only when something is: until then `path` is nil, and no paths are
-- made for values that are valid. A keyword that is not known is an error when the schema is
-- compiled, so that nothing is believed to be checked that is not.

local json = require "host.json"
local patterns = require "host.pattern"
local rfc3339 = require "parley.util.rfc3339"
local suggest = require "parley.util.suggest"

local M = {}

local KEYWORDS = {
  ["$schema"] = true, ["$id"] = true, title = true, description = true, examples = true,
  default = true, type = true, enum = true, const = true, properties = true, required = true,
  additionalProperties = true, items = true, minItems = true, maxItems = true, minLength = true,
  maxLength = true, pattern = true, minimum = true, maximum = true, format = true, anyOf = true,
  minProperties = true, maxProperties = true,
  ["x-max-bytes"] = true, -- ours: of the value as JSON
  ["x-documented-as"] = true, -- ours: the schema that other checks of the value follow
}

local function add(errors, path, code, message)
  errors[#errors + 1] = { path = path, code = code, message = message }
end

local function kind_of(v)
  if v == json.null then return "null" end
  local t = type(v)
  if t ~= "table" then return t end
  if json.is_array(v) or #v > 0 then return "array" end
  return "object"
end

local function is_type(want, v)
  local kind = kind_of(v)
  if want == "integer" then return kind == "number" and v % 1 == 0 end
  -- An empty table that nobody marked is either.
  if kind == "object" and want == "array" then return next(v) == nil end
  return kind == want
end

-- Code points, not bytes: a limit means the same in every language.
local function length(s)
  local _, tails = s:gsub("[\128-\191]", "")
  return #s - tails
end

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local FORMATS = {
  uuid = function(v) return v:find(UUID) ~= nil end,
  ["date-time"] = function(v) return rfc3339.parse(v) ~= nil end, -- a day that there is
}

local function pointer(path, key)
  return path and path .. "/" .. tostring(key):gsub("~", "~0"):gsub("/", "~1")
end

local compile

-- Types that are Lua's own, of which one look tells.
local OWN = { string = true, boolean = true, number = true }

local function type_check(schema)
  local types = type(schema.type) == "table" and schema.type or { schema.type }
  local names = table.concat(types, " or ")
  local usual = OWN[types[1]] and types[1]
  return function(v, path, errors)
    if type(v) == usual then return true end
    for _, t in ipairs(types) do if is_type(t, v) then return true end end
    add(errors, path, "type", names .. " expected, got " .. kind_of(v))
    return false
  end
end

local function enum_check(values)
  local set, names = {}, {}
  for i, v in ipairs(values) do set[v], names[i] = true, tostring(v) end
  local message = "one of " .. table.concat(names, ", ") .. " expected"
  return function(v, path, errors)
    if set[v] then return true end
    add(errors, path, "enum", message)
  end
end

local function string_check(schema)
  local min, max = schema.minLength, schema.maxLength
  local pattern, format = schema.pattern, schema.format and FORMATS[schema.format]
  if schema.type ~= "string" and not (min or max or pattern or format) then return nil end
  local problem = pattern and patterns.problem(pattern)
  if problem then error(("pattern '%s': %s"):format(pattern, problem), 0) end
  return function(v, path, errors)
    if type(v) ~= "string" then return true end
    if v:find("\0", 1, true) then -- no text column of PostgreSQL takes it
      add(errors, path, "nul", "has a NUL character in it")
    elseif max and #v > max and length(v) > max then
      add(errors, path, "max_length", ("at most %d characters"):format(max))
    elseif min and #v < 4 * min and length(v) < min then -- UTF-8 takes at most four bytes for one
      add(errors, path, "min_length", ("at least %d characters"):format(min))
    elseif pattern and not patterns.fits(v, pattern) then -- nor does what takes too long to say
      add(errors, path, "pattern", "does not have the form " .. schema.pattern)
    elseif format and not format(v) then
      add(errors, path, "format", "not a valid " .. schema.format)
    end
    return true
  end
end

local function number_check(schema)
  local min, max = schema.minimum, schema.maximum
  if not (min or max) then return nil end
  return function(v, path, errors)
    if type(v) ~= "number" then return true end
    if min and v < min then add(errors, path, "minimum", ("at least %g"):format(min)) end
    if max and v > max then add(errors, path, "maximum", ("at most %g"):format(max)) end
    return true
  end
end

local function array_check(schema)
  local item = schema.items and compile(schema.items)
  local min, max = schema.minItems, schema.maxItems
  if not (item or min or max) then return nil end
  return function(v, path, errors)
    if type(v) ~= "table" then return true end
    if max and #v > max then
      add(errors, path, "max_items", ("at most %d items"):format(max))
      return true
    end
    if min and #v < min then add(errors, path, "min_items", ("at least %d items"):format(min)) end
    if item then
      for i, e in ipairs(v) do item(e, path and path .. "/" .. i - 1, errors) end
    end
    return true
  end
end

local function count_properties(schema, v, path, errors)
  local n, min, max = 0, schema.minProperties, schema.maxProperties
  for _ in pairs(v) do n = n + 1 end
  if min and n < min then
    add(errors, path, "min_properties", ("at least %d fields"):format(min))
  elseif max and n > max then
    add(errors, path, "max_properties", ("at most %d fields"):format(max))
  end
end

local function object_check(schema)
  local checks, required = {}, schema.required or {}
  for name, sub in pairs(schema.properties or {}) do checks[name] = compile(sub) end
  local closed = schema.additionalProperties == false
  local rest = type(schema.additionalProperties) == "table" and compile(schema.additionalProperties)
  local max_bytes, counted = schema["x-max-bytes"], schema.minProperties or schema.maxProperties
  if not (schema.properties or closed or rest or #required > 0 or max_bytes or counted) then
    return nil
  end
  return function(v, path, errors)
    if type(v) ~= "table" then return true end
    for _, name in ipairs(required) do
      if v[name] == nil then add(errors, path and path .. "/" .. name, "required", "is missing") end
    end
    for name, value in pairs(v) do
      local check = checks[name]
      if check then
        check(value, path and path .. "/" .. name, errors)
      elseif closed then
        add(errors, pointer(path, name), "unknown_field", "is not a known field")
      elseif rest then
        rest(value, pointer(path, name), errors)
      end
    end
    if counted then count_properties(schema, v, path, errors) end
    if max_bytes and #(json.encode(v) or "") > max_bytes then
      add(errors, path, "too_large", ("at most %d bytes as JSON"):format(max_bytes))
    end
    return true
  end
end

-- Whether a value could be meant for an alternative: it has its type.
local function is_kin(schema, v)
  return type(schema.type) == "string" and is_type(schema.type, v)
end

-- When one alternative alone has the value's type, what is wrong is said in its terms.
local function any_check(schemas, message)
  local list = {}
  for i, s in ipairs(schemas) do list[i] = compile(s) end
  return function(v, path, errors)
    local kin, said = 0, nil
    for i, check in ipairs(list) do
      local mine = {}
      check(v, path, mine)
      if #mine == 0 then return true end
      if is_kin(schemas[i], v) then kin, said = kin + 1, mine end
    end
    if kin ~= 1 then
      add(errors, path, "any_of", message or "none of the alternatives fits")
      return
    end
    for _, e in ipairs(said) do errors[#errors + 1] = e end
  end
end

---@param schema table
---@return fun(value: any, path: string|nil, errors: table[])
function compile(schema)
  for key in pairs(schema) do
    if not KEYWORDS[key] then
      error(("the keyword '%s' is none that is checked here.%s"):format(tostring(key),
        suggest.hint(tostring(key), KEYWORDS)), 0)
    end
  end
  local kind = schema.type and type_check(schema)
  local list = {}
  if schema.enum then list[#list + 1] = enum_check(schema.enum) end
  if schema.const ~= nil then list[#list + 1] = enum_check { schema.const } end
  list[#list + 1] = string_check(schema)
  list[#list + 1] = number_check(schema)
  list[#list + 1] = array_check(schema)
  list[#list + 1] = object_check(schema)
  if schema.anyOf then list[#list + 1] = any_check(schema.anyOf, schema.description) end
  return function(v, path, errors)
    if kind and not kind(v, path, errors) then return end
    for i = 1, #list do list[i](v, path, errors) end
  end
end

---@param schema table
---@return fun(value: any): table[]|nil errors nil when the value is valid
function M.compile(schema)
  local check, found = compile(schema), {}
  return function(value)
    check(value, nil, found)
    if #found == 0 then return nil end
    local errors = {}
    found = {}
    check(value, "", errors)
    if #errors == 0 then return nil end -- what a check that raised had found before
    if #errors == 0 then return nil end
    table.sort(errors, function(a, b) return a.path < b.path end)
    for i = #errors, 21, -1 do errors[i] = nil end
    return errors
  end
end

return M
