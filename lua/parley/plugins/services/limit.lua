-- limit: how often a handler may run for a user, or in a dialog (option `limit` of handlers). All
-- workers share one count.

local gate = require "parley.plugins.gate"

local NAME_MAX = 200
local REQUESTS_MAX, SECONDS_MAX = 100000, 366 * 86400

local function is_count(v, most)
  return type(v) == "number" and v >= 1 and v <= most and v % 1 == 0
end

gate.register("limit", {
  run = function(invocation, name, requests, seconds, by)
    if type(name) ~= "string" or #name > NAME_MAX or not is_count(requests, REQUESTS_MAX)
      or not is_count(seconds, SECONDS_MAX) then
      return gate.refuse("invalid", "limit: a name, requests and seconds expected")
    end
    local who = by == "dialog" and invocation.dialog_id or invocation.user.id
    local key = ("%s:%s:%s"):format(invocation.manifest.name, name, who)
    local verdict, err = invocation.limits:take("handler", key,
      { requests = requests, seconds = seconds })
    if not verdict then return nil, err end
    return { allowed = verdict.allowed, seconds = verdict.reset }
  end,
})
