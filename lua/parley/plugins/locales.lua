-- The texts of a plugin's locales/*.json: what they may be, and which of them are missing.

local json = require "host.json"
local json_lines = require "parley.util.json_lines"

local M = {}

-- The plural categories of CLDR.
local CATEGORIES = { zero = true, one = true, two = true, few = true, many = true, other = true }

-- Those that whole numbers need, in the languages whose rules the SDK has (sdk/context.lua).
local NEEDED = {
  en = { "one", "other" }, ru = { "one", "few", "many" }, uk = { "one", "few", "many" },
}

local function is_object(value) return type(value) == "table" and not json.is_array(value) end

-- The first value that is no text, as a path, and what is wrong with it.
local function shape_problem(value)
  if not is_object(value) then return "", "an object of texts by key expected" end
  for key, text in pairs(value) do
    if is_object(text) then
      if next(text) == nil then return key, "plural forms expected, there is none" end
      for form, words in pairs(text) do
        if not CATEGORIES[form] then
          return json_lines.join(key, form),
            "no plural form; zero, one, two, few, many or other expected"
        end
        if type(words) ~= "string" then return json_lines.join(key, form), "a text expected" end
      end
    elseif type(text) ~= "string" then
      return key, "a text, or an object of its plural forms expected"
    end
  end
end

---Reads one locale file.
---@param source string JSON
---@return table<string, string|table<string, string>>|nil texts by key
---@return string|nil message of the problem
---@return integer|nil line of the problem
function M.read(source)
  local value, err = json.decode(source)
  if value == nil then return nil, err.message, tonumber(err.message:match "line (%d+)") or 1 end
  local path, problem = shape_problem(value)
  if not path then return value end
  return nil, path == "" and problem or path .. ": " .. problem, json_lines.locate(source)(path)
end

local function sorted_keys(set)
  local out = {}
  for key in pairs(set) do out[#out + 1] = key end
  table.sort(out)
  return out
end

-- One complaint for each key, however many of the other languages have it.
local function missing_keys(locales, all, name, report)
  for _, key in ipairs(all) do
    local texts = locales[name]
    if texts[key] == nil then
      for _, other in ipairs(sorted_keys(locales)) do
        if locales[other][key] ~= nil then
          report(name, ("'%s' is missing; %s.json has it"):format(key, other))
          break
        end
      end
    end
  end
end

local function missing_forms(texts, all, name, report)
  for _, key in ipairs(all) do
    if type(texts[key]) == "table" then
      for _, form in ipairs(NEEDED[name:match "^%a+"] or {}) do
        if texts[key][form] == nil then
          report(name, ("'%s' has no plural form '%s'"):format(key, form))
        end
      end
    end
  end
end

---What one language has and another lacks, and the plural forms that a language needs.
---@param locales table<string, table> the texts of each locale
---@param report fun(locale: string, message: string) called for each, in order
function M.missing(locales, report)
  local keys = {}
  for _, texts in pairs(locales) do
    for key in pairs(texts) do keys[key] = true end
  end
  local all = sorted_keys(keys)
  for _, name in ipairs(sorted_keys(locales)) do
    missing_keys(locales, all, name, report)
    missing_forms(locales[name], all, name, report)
  end
end

---Whether any language has a text.
---@param locales table<string, table>
---@param key string
---@return boolean
function M.has(locales, key)
  for _, texts in pairs(locales) do
    if texts[key] ~= nil then return true end
  end
  return false
end

return M
