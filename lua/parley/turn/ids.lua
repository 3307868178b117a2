-- Ids that are the same when a turn is taken up again after a crash, so that whoever was asked
-- before it recognises the call; and ids of messages, which sort as the dialog went.

local crypto = require "host.crypto"

local M = {}

local derived = crypto.uuid7_derived

---@param turn table
---@param plugin string
---@return string invocation_id of this attempt: the key of its row in plugin_calls
---@return string delivery_id of the event for this plugin, however often it is delivered
function M.invocation(turn, plugin)
  local n = #turn.calls
  if turn.continued then
    local row = turn.continued
    local id = derived(row.expires_at, row.token_hash, plugin, n)
    return id, id
  elseif not turn.job then
    local id = derived(turn.received_at, turn.source, turn.key, plugin, n)
    return id, id
  end
  return derived(turn.received_at, turn.job.id, plugin, n, turn.job.attempts),
    derived(0, turn.job.id, plugin, n)
end

---The id of a message, and the time in it. It sorts after all that were made here before; when that
---is not late enough, because another clock is ahead or this one was set back, it is made up.
---@param at_least integer milliseconds
---@return string id
---@return integer ms
---@return boolean made_up it does not sort among others of the same millisecond
function M.message(at_least)
  local id, ms = crypto.timed_uuid7()
  if ms >= at_least then return id, ms, false end
  return derived(at_least, crypto.random(16)), at_least, true
end

return M
