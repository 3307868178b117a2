-- Makers of the kinds of value that a manifest is made of.
--
-- A kind says the same twice: `check(report, value, path)` reports what is wrong, in words for its
-- author, and returns nothing; `schema` is what the OpenAPI document shows of it. `report` is
-- report(path, code, format, ...).

local json = require "host.json"
local suggest = require "parley.util.suggest"
local join = require("parley.util.json_lines").join
local utf8 = require "parley.util.utf8"

local M = {}

---@class parley.Kind
---@field check fun(report: function, value: any, path: string)
---@field schema table JSON Schema, its patterns in Lua's words

local function is_object(v) return type(v) == "table" and not json.is_array(v) end
M.is_object = is_object

local function show(v)
  if type(v) == "string" then return ("'%s'"):format(utf8.clip(v, 40)) end
  if type(v) == "number" then return ("%.14g"):format(v) end
  if v == json.null then return "null" end
  if type(v) == "table" then return json.is_array(v) and "a list" or "an object" end
  return tostring(v)
end
M.show = show

local function expected(report, path, what, value)
  report(path, "type", "%s expected, got %s", what, show(value))
end
M.expected = expected

---The same kind with a word for who reads the document.
---@param description string
---@param kind parley.Kind
---@return parley.Kind
function M.described(description, kind)
  local schema = {}
  for key, value in pairs(kind.schema) do schema[key] = value end
  schema.description = description
  return { check = kind.check, schema = schema }
end

---@param max integer bytes
function M.text(max)
  return {
    schema = { type = "string", minLength = 1, maxLength = max },
    check = function(report, value, path)
      if type(value) ~= "string" or value == "" then
        return expected(report, path, "a text", value)
      end
      if #value > max then report(path, "too_long", "at most %d bytes, got %d", max, #value) end
    end,
  }
end

---@param lua_pattern string
---@param what string like "a command like 'start'"
---@param max? integer bytes
function M.matching(lua_pattern, what, max)
  return {
    schema = { type = "string", pattern = lua_pattern, maxLength = max, description = what },
    check = function(report, value, path)
      if type(value) ~= "string" or not value:find(lua_pattern) or #value > (max or #value) then
        expected(report, path, what, value)
      end
    end,
  }
end

function M.one_of(...)
  local names = { ... }
  return {
    schema = { type = "string", enum = names },
    check = function(report, value, path)
      for _, name in ipairs(names) do if value == name then return end end
      local hint = type(value) == "string" and suggest.hint(value, names) or ""
      report(path, "value", "one of %s expected, got %s.%s", table.concat(names, ", "),
        show(value), hint)
    end,
  }
end

---@param whole? boolean
function M.number(min, max, whole)
  return {
    schema = { type = whole and "integer" or "number", minimum = min, maximum = max },
    check = function(report, value, path)
      if type(value) ~= "number" or (whole and value % 1 ~= 0) then
        return expected(report, path, whole and "a whole number" or "a number", value)
      end
      if value < min or value > max then
        report(path, "range", "%.14g to %.14g expected, got %.14g", min, max, value)
      end
    end,
  }
end

---@param item parley.Kind
---@param max integer items
---@param key? fun(item: any): any what must not stand twice
function M.list(item, max, key)
  return {
    schema = { type = "array", items = item.schema, maxItems = max },
    check = function(report, value, path)
      if not json.is_array(value) then return expected(report, path, "a list", value) end
      if #value > max then
        return report(path, "too_long", "at most %d items, got %d", max, #value)
      end
      local seen = {}
      for i, v in ipairs(value) do
        local at = join(path, i - 1)
        item.check(report, v, at)
        local id = v
        if key then id = key(v) end
        if id ~= nil and type(id) ~= "table" then
          if seen[id] then report(at, "duplicate", "%s stands twice", show(id)) end
          seen[id] = true
        end
      end
    end,
  }
end

---@param fields table<string, parley.Kind> no others
---@param required? string[]
function M.object(fields, required)
  local properties = {}
  for key, kind in pairs(fields) do properties[key] = kind.schema end
  return {
    schema = {
      type = "object", additionalProperties = false, properties = properties, required = required,
    },
    check = function(report, value, path)
      if not is_object(value) then return expected(report, path, "an object", value) end
      for _, key in ipairs(required or {}) do
        if value[key] == nil then report(path, "required", "'%s' is missing", key) end
      end
      for key, v in pairs(value) do
        local at = join(path, key)
        if fields[key] then
          fields[key].check(report, v, at)
        else
          report(at, "unknown_key", "unknown key '%s'.%s", key, suggest.hint(key, fields))
        end
      end
    end,
  }
end

---A text, or one by locale.
---@param max integer bytes of each
---@param locale parley.Kind of the keys
function M.localised(max, locale)
  local plain = M.text(max)
  return {
    schema = { anyOf = { plain.schema, { type = "object", additionalProperties = plain.schema } } },
    check = function(report, value, path)
      if not is_object(value) then return plain.check(report, value, path) end
      for key, v in pairs(value) do
        locale.check(report, key, join(path, key))
        plain.check(report, v, join(path, key))
      end
    end,
  }
end

return M
