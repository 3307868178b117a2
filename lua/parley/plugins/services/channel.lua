-- What a channel does at once, while the plugin still works.

local gate = require "parley.plugins.gate"
local json = require "host.json"
local telegram = require "parley.schema.telegram"
local time = require "host.time"

local ASKS = 20 -- in one event
local PARAMS_MAX = 64 * 1024
local TIMEOUT_S = 10

local ASKED = {}
for _, method in ipairs(telegram.ASKED) do ASKED[method] = true end

gate.register("typing", {
  run = function(invocation)
    local channel = invocation.channel
    return channel ~= nil and channel:show_typing(invocation.turn)
  end,
})

local function check(method, params)
  if not ASKED[method] then
    return gate.refuse("invalid", "telegram: '%s' cannot be asked; these can: %s", tostring(method),
      table.concat(telegram.ASKED, ", "))
  end
  if params ~= nil and type(params) ~= "table" then
    return gate.refuse("invalid", "telegram: a table of parameters expected")
  end
  local text, err = json.encode(params or {})
  if not text then return gate.refuse("invalid", "telegram: %s", err.message) end
  if #text > PARAMS_MAX then
    return gate.refuse("too_large", "telegram: the parameters have %d bytes, at most %d are "
      .. "allowed", #text, PARAMS_MAX)
  end
  local problem = telegram.problem(params or {})
  if problem then return gate.refuse("invalid", "telegram: %s", problem) end
  return true
end

gate.register("telegram.ask", {
  permission = "telegram",
  run = function(invocation, method, params)
    local ok, err = check(method, params)
    if not ok then return nil, err end
    local channel = invocation.channel
    if not channel or not channel.ask then
      return gate.refuse("unavailable", "telegram: this dialog is not in Telegram")
    end
    invocation.asks = (invocation.asks or 0) + 1
    if invocation.asks > ASKS then
      return gate.refuse("quota", "telegram: more than %d calls in one event", ASKS)
    end
    if not method:find "^get" then
      ok, err = invocation:admit()
      if not ok then return nil, err end
    end
    local left = invocation.deadline - time.live()
    return channel:ask(invocation.turn, method, params,
      math.max(0.001, math.min(TIMEOUT_S, left)))
  end,
})
