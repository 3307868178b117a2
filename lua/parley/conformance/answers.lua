-- What the plugin has said, in all checks before: each property over every answer.

local answer = require "parley.plugins.answer"
local response = require "parley.turn.response"

-- What an answer says, as the host reads it.
---@return table|nil value
---@return string[]|string result unknown fields, or what is wrong
local function read(a)
  return answer.read {
    status = a.response.status, headers = { ["content-type"] = "application/json" },
    body = a.response.body,
  }
end

-- The first answer of which `problem(t, a)` says something.
local function over_all(problem)
  return function(t)
    for _, a in ipairs(t.answers) do
      local found = problem(t, a)
      if found then return ("to %s: %s"):format(a.call.what, found) end
    end
  end
end

-- The host's own check; it tells by the code which rule was broken.
local function breaks(...)
  local codes = {}
  for _, code in ipairs { ... } do codes[code] = true end
  return over_all(function(t, a)
    local value, problem = read(a)
    if not value then return codes.invalid_response and problem or nil end
    local good, err = response.check({ name = t.manifest.name, manifest = t.manifest }, value)
    if not good and codes[err.code] then return err.message end
  end)
end

-- A token stands for one turn; a call that comes again gets the same one.
local function tokens(t)
  local owner = {}
  for _, a in ipairs(t.answers) do
    local value = a.response.status == 202 and read(a) or {}
    local token = value.continue
    if token and owner[token] and owner[token] ~= a.call.id then
      return ("'%s' came with two calls"):format(token)
    end
    if token then owner[token] = a.call.id end
  end
  if next(owner) == nil then return nil, "no answer was put off with 202" end
end

return {
  {
    name = "answers come as application/json",
    level = "must", needs = "answer",
    fix = "send Content-Type: application/json",
    run = over_all(function(_, a) return answer.type_problem(a.response) end),
  },
  {
    name = "answers are valid: actions, state, end",
    level = "must", needs = "answer",
    fix = "docs/rest-plugins.md lists the fields of the answer and of each action",
    run = breaks "invalid_response",
  },
  {
    name = "answers report no error",
    level = "must", needs = "answer",
    fix = "\"error\" is for what has failed: the user gets a sorry text, the circuit counts it",
    run = breaks "exception",
  },
  {
    name = "answers are within limits.reply_bytes, and state within 64 KiB",
    level = "must", needs = "answer",
    fix = "say less, or raise limits.reply_bytes in the manifest (at most 1048576)",
    run = breaks "too_large",
  },
  {
    name = "actions are those that the manifest has permission for",
    level = "must", needs = "answer",
    fix = "add \"jobs\" for schedule, \"events\" for event to \"permissions\" in the manifest",
    run = breaks "permission",
  },
  {
    name = "answers have no fields that Parley does not know",
    level = "should", needs = "answer",
    fix = "they are ignored: look for a slip of the pen",
    run = over_all(function(_, a)
      local value, unknown = read(a)
      if value and #unknown > 0 then return table.concat(unknown, ", ") end
    end),
  },
  {
    name = "answers that are put off have a token each",
    level = "must", needs = "answer",
    fix = "make `continue` of 16 random bytes at least, anew for each webhook-id",
    run = tokens,
  },
}
