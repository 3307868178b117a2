-- JSON Schemas that strangers wrote, of a manifest or of a question to the language model: checked
-- whole before they are compiled, so that nothing raises when they are used, and bounded in size.

local compile = require("parley.schema.compile").compile
local json = require "host.json"

local M = {}

local DEPTH = 16
local SCHEMAS = 500 -- in one
local COUNT_MAX = 2 ^ 31

local TYPES = {
  object = true, array = true, string = true, number = true, integer = true, boolean = true,
  null = true,
}

local function is_object(v) return type(v) == "table" and not json.is_array(v) and #v == 0 end

local function is_list(v) return type(v) == "table" and (json.is_array(v) or #v > 0) end

local function text(v)
  if type(v) ~= "string" then return "a text expected" end
end

local function number(v)
  if type(v) ~= "number" or v ~= v then return "a number expected" end
end

local function count(v)
  if type(v) ~= "number" or not (v >= 0 and v <= COUNT_MAX and v % 1 == 0) then
    return "a whole number of 0 or more expected"
  end
end

local function types(v)
  if type(v) == "string" and TYPES[v] then return nil end
  for i, name in ipairs(is_list(v) and v or {}) do
    if type(name) ~= "string" or not TYPES[name] then break end
    if i == #v then return nil end
  end
  return "a type, or a list of types, expected"
end

local function scalars(v)
  if not is_list(v) or #v == 0 then return "a list of values expected" end
  for _, item in ipairs(v) do
    if type(item) == "table" then return "texts and numbers expected" end
  end
end

local function names(v)
  if is_object(v) and next(v) == nil then return nil end -- an empty list that nobody has marked
  for _, item in ipairs(is_list(v) and v or { false }) do
    if type(item) ~= "string" then return "a list of names expected" end
  end
end

local function any() end

local check

local function schemas(v, path, state)
  if not is_object(v) then return "an object expected" end
  for name, sub in pairs(v) do
    if type(name) ~= "string" then return "an object expected" end
    check(sub, path .. "." .. name, state)
  end
end

local function list_of_schemas(v, path, state)
  if not is_list(v) or #v == 0 then return "a list of schemas expected" end
  for i, sub in ipairs(v) do check(sub, ("%s[%d]"):format(path, i - 1), state) end
end

local function one_schema(v, path, state) check(v, path, state) end

local function boolean_or_schema(v, path, state)
  if type(v) ~= "boolean" then check(v, path, state) end
end

local VALUES = {
  ["$schema"] = text, ["$id"] = text, title = text, description = text, format = text,
  examples = any, default = any, type = types, enum = scalars,
  properties = schemas, required = names, additionalProperties = boolean_or_schema,
  items = one_schema, anyOf = list_of_schemas, pattern = text,
  const = function(v) return type(v) == "table" and "a text or a number expected" or nil end,
  minItems = count, maxItems = count, minLength = count, maxLength = count,
  minProperties = count, maxProperties = count, ["x-max-bytes"] = count,
  minimum = number, maximum = number,
}

-- Raises {path, problem}: what is left is not looked at.
function check(schema, path, state)
  local function refuse(where, problem) error({ path = where, problem = problem }, 0) end
  if not is_object(schema) then refuse(path, "a schema expected") end
  state.depth, state.schemas = state.depth + 1, state.schemas + 1
  if state.depth > DEPTH then refuse(path, ("nested more than %d levels deep"):format(DEPTH)) end
  if state.schemas > SCHEMAS then refuse(path, ("more than %d schemas in one"):format(SCHEMAS)) end
  for key, value in pairs(schema) do
    local rule = VALUES[key]
    -- The compiler names what it does not know, with a suggestion.
    local problem = rule and rule(value, path .. "." .. key, state)
    if problem then refuse(path .. "." .. key, problem) end
  end
  state.depth = state.depth - 1
end

---@param schema any
---@return (fun(value: any): table[]|nil)|nil check as parley.schema.compile makes it
---@return string|nil problem `properties.size: a number expected`
function M.compile(schema)
  local ok, err = pcall(check, schema, "", { depth = 0, schemas = 0 })
  if not ok then
    if type(err) ~= "table" then error(err, 0) end
    local path = err.path:gsub("^%.", "")
    return nil, path == "" and err.problem or path .. ": " .. err.problem
  end
  local good, result = pcall(compile, schema)
  if not good then return nil, (tostring(result):gsub("^.-:%d+: ", "")) end
  return result
end

return M
