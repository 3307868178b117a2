-- A message or a job that is durable, on which a plugin may have acted, and whose turn could not be
-- stored: the database went away in between. Nothing of its dialog goes before it, so its lane is
-- kept until the database is back, as its dialog is held for it there; whoever has sent a message
-- is told to come again, and then has the answer.

local task = require "host.task"

local M = {}

-- First soon, then now and then; not for ever when the database is there and refuses it.
local PAUSE_S, PAUSE_MAX_S, TRIES = 0.05, 0.25, 3

local function try(deps, turn, run)
  local row, err = deps.db:first("SELECT source, key, dialog_id, payload, body_hash, trace_id, "
    .. "received_at FROM inbox WHERE source = $1 AND key = $2 AND state = 'open'", turn.source,
    turn.key)
  if row then return run(row) end
  return nil, err -- no row and no error: it was never durable, or has been finished
end

---Tries until it is finished, and leaves its lane.
---@param deps {db: table, lanes: table, log: function}
---@param turn table whose lane is held
---@param run fun(row: table): table|nil, table|nil the turn of a row of inbox, in the lane
function M.run(deps, turn, run)
  deps.lanes:shut(turn.dialog_id)
  local pause, refused = PAUSE_S, 0
  local err
  repeat
    task.sleep(pause)
    pause = math.min(2 * pause, PAUSE_MAX_S)
    local good, result
    good, result, err = pcall(try, deps, turn, run)
    if not good then err = { code = "internal", message = tostring(result) } end
    if err and not err.retryable then refused = refused + 1 end
  until not err or refused == TRIES
  if err then
    deps.log("error", "what is durable cannot be finished, and is tried again later", {
      dialog_id = turn.dialog_id, trace_id = turn.trace_id, code = err.code, error = err.message,
    })
  end
  deps.lanes:leave(turn.dialog_id)
end

return M
