-- Ids that are the same when a turn is taken up again after a crash: whoever was asked before it
-- recognises the call.

local crypto = require "host.crypto"

local M = {}

-- A UUID of version 7 whose random part is a hash: ordered by time like the others.
local function derived(ms, ...)
  local h = crypto.hex(crypto.sha256(table.concat({ ... }, "\0")))
  local t = ("%012x"):format(ms)
  return ("%s-%s-7%s-%x%s-%s"):format(t:sub(1, 8), t:sub(9), h:sub(1, 3),
    8 + tonumber(h:sub(4, 4), 16) % 4, h:sub(5, 7), h:sub(8, 19))
end

---@param turn table
---@param plugin string
---@return string invocation_id of this attempt: the key of its row in plugin_calls
---@return string delivery_id of the event for this plugin, however often it is delivered
function M.invocation(turn, plugin)
  local n = tostring(#turn.calls)
  if not turn.job then
    local id = derived(turn.received_at, turn.source, turn.key, plugin, n)
    return id, id
  end
  return derived(turn.received_at, turn.job.id, plugin, n, tostring(turn.job.attempts)),
    derived(0, turn.job.id, plugin, n)
end

return M
