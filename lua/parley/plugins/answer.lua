-- What a REST plugin has answered, from bytes to an InvokeResponseV1 that is still to be validated.
--
-- A plugin may be newer than the host, and written in a language that writes empty fields as null:
-- fields that the host does not know are left out and counted, null stands for absent.

local actions = require "parley.schema.actions"
local json = require "host.json"

local M = {}

local DEPTH = 32 -- of nesting (contract): what is kept comes back inside other documents

---The plugin's words as they may stand in a message of ours: short, on one line.
---@param text string
---@return string
function M.quote(text)
  text = text:sub(1, 120):gsub("[%c\128-\255]+", " ")
  return text == "" and "an empty body" or "'" .. text .. "'"
end

local FIELDS = { actions = true, state = true, ["end"] = true, intent = true, error = true,
  declined = true }

local function trim(value)
  local unknown = {}
  for key, v in pairs(value) do
    if not FIELDS[key] then unknown[#unknown + 1] = key end
    if not FIELDS[key] or v == json.null then value[key] = nil end
  end
  if type(value.actions) == "table" then
    for i, action in ipairs(value.actions) do
      actions.trim(action, ("actions[%d]"):format(i - 1), unknown)
    end
  end
  return unknown
end

---What is wrong with the type of a response.
---@param r {headers: table<string, string>, body: string}
---@return string|nil problem nothing when it is JSON
function M.type_problem(r)
  local kind = r.headers["content-type"] or ""
  if (kind:lower():match "^([^;]-)%s*;" or kind:lower()) == "application/json" then return nil end
  return ("Content-Type: application/json was expected, got %s: %s"):format(M.quote(kind),
    M.quote(r.body))
end

---@param r {headers: table<string, string>, body: string} status 200
---@return table|nil response
---@return string|string[] result what is wrong with it; else the paths of unknown fields
function M.read(r)
  local problem = M.type_problem(r)
  if problem then return nil, problem end
  local value, err = json.decode(r.body, { max_depth = DEPTH })
  if value == nil then return nil, "the answer is no JSON: " .. err.message end
  if type(value) ~= "table" or json.is_array(value) then
    return nil, "the answer: an object was expected"
  end
  return value, trim(value)
end

return M
