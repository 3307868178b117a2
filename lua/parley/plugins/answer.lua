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

---The token under which a plugin will go on: long enough that nobody guesses it.
---@param value table of an answer with status 202
---@return string|nil token
---@return string|nil problem
function M.token(value)
  local token = value.continue
  if type(token) ~= "string" or #token < 16 or #token > 128 or token:find "[^%w._~-]" then
    return nil, "continue: a token of 16 to 128 characters of A-Za-z0-9._~- was expected"
  end
  return token
end

---Takes out of an answer what the host does not know, and what is null.
---@param value table changed in place
---@return string[] unknown paths of fields
function M.trim(value)
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
  return ("Content-Type: application/json was expected, got %s: %s"):format(
    kind == "" and "none" or M.quote(kind), M.quote(r.body))
end

---@param r {status: integer|nil, headers: table<string, string>, body: string} 202: with a token
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
  if r.status ~= 202 then return value, M.trim(value) end
  local token
  token, problem = M.token(value)
  if not token then return nil, problem end
  value.continue = nil
  local unknown = M.trim(value)
  value.continue, value.actions = token, value.actions or json.array()
  return value, unknown
end

return M
