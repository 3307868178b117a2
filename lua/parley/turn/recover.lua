-- After a start: messages that were durable when the host went down, and not finished.

local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}

local ATTEMPTS = 3

-- A message that brought the host down three times is set aside for a person to look at.
local function give_up(db, row)
  return db:commit {
    {
      "UPDATE inbox SET state = 'failed', payload = NULL WHERE source = $1 AND key = $2 "
        .. "AND state = 'open'", row.source, row.key, expect = 1,
    },
    {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      crypto.uuid7(), row.source .. "#" .. row.key, row.payload,
      json.encode { code = "crashed", message = "its turn did not finish" }, row.attempts,
      row.trace_id, time.now_ms(),
    },
  }
end

local function take_up(deps, row)
  local ok, err
  if row.attempts >= ATTEMPTS then
    ok, err = give_up(deps.db, row)
    if ok then meters.dead_letters:with("message"):inc() end
  else
    ok, err = deps.turn:resume(row)
  end
  if not ok then
    deps.log("error", "a turn could not be taken up again", {
      dialog_id = row.dialog_id, trace_id = row.trace_id, code = err.code, error = err.message,
    })
  end
end

---Takes up what is open, oldest first. Each turn is in the lane of its dialog when this returns,
---before any new message, and goes on beside what the host does next: one that is slow, or brings
---the host down again, keeps nobody else waiting.
---@param deps {db: table, turn: table, log: function}
---@return table|nil tasks one for each turn
---@return table|nil err
function M.run(deps)
  local rows, err = deps.db:query("SELECT source, key, dialog_id, payload, body_hash, trace_id, "
    .. "received_at, attempts FROM inbox WHERE state = 'open' ORDER BY received_at")
  if not rows then return nil, err end
  local ok
  ok, err = deps.db:commit {
    { "UPDATE inbox SET attempts = attempts + 1 WHERE state = 'open'" },
  }
  if not ok then return nil, err end
  local tasks = {}
  for i, row in ipairs(rows) do tasks[i] = task.spawn(take_up, deps, row) end
  return tasks
end

return M
