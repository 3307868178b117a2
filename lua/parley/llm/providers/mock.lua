-- The provider without a network: the same question always gets the same answer. For development,
-- for specs, and for when the real one is away.

local json = require "host.json"

local M = {}
M.__index = M

---@return table provider
function M.new() return setmetatable({ name = "mock" }, M) end

-- About four characters make a token, whatever the language; only the order of magnitude counts.
local function tokens(text)
  local _, tails = text:gsub("[\128-\191]", "")
  return math.ceil((#text - tails) / 4)
end

-- What an example may have. A schema that asks for more gets one that does not fit it.
local VALUES = 1000
local LETTERS = 10000

-- The plainest value that a JSON Schema allows; `left` counts down.
local function example(schema, left)
  left.values = left.values - 1
  if type(schema) ~= "table" or left.values < 0 then return json.null end
  if schema.const ~= nil then return schema.const end
  if schema.default ~= nil then return schema.default end
  if schema.enum then return schema.enum[1] end
  local kind = type(schema.type) == "table" and schema.type[1] or schema.type
  if kind == "object" then
    local out = {}
    for _, key in ipairs(schema.required or {}) do
      out[key] = example((schema.properties or {})[key], left)
    end
    return out
  elseif kind == "array" then
    local out = {}
    for i = 1, math.min(schema.minItems or 0, VALUES) do out[i] = example(schema.items, left) end
    return json.array(out)
  elseif kind == "string" then
    local n = math.min(schema.minLength or 0, left.letters)
    left.letters = left.letters - n
    return ("x"):rep(n)
  elseif kind == "number" or kind == "integer" then
    return schema.minimum or 0
  elseif kind == "boolean" then
    return false
  end
  return json.null
end

--- Answers by repeating the last user message, or with the plainest document of the schema.
---@param request table as of the router
---@return table answer
function M:chat(request)
  local last, prompt = "", 0
  for _, message in ipairs(request.messages) do
    prompt = prompt + tokens(message.content)
    if message.role == "user" then last = message.content end
  end
  local text, value = "You said: " .. last, nil
  if request.json_schema then
    value = example(request.json_schema, { values = VALUES, letters = LETTERS })
    text = assert(json.encode(value, { sorted = true }))
  end
  return {
    text = text, json = value, model = "mock", provider = self.name,
    usage = { prompt_tokens = prompt, completion_tokens = tokens(text), cost = 0 },
  }
end

return M
