-- After a start: messages that were durable when the host went down, and not finished.

local json = require "host.json"
local time = require "host.time"
local crypto = require "host.crypto"

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

---Takes up what is open, oldest first.
---@param deps {db: table, turn: table, log: function}
---@return integer|nil resumed
---@return table|nil err
function M.run(deps)
  local rows, err = deps.db:query("SELECT source, key, dialog_id, payload, body_hash, trace_id, "
    .. "received_at, attempts FROM inbox WHERE state = 'open' ORDER BY received_at LIMIT 10000")
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    local ok
    if row.attempts >= ATTEMPTS then
      ok, err = give_up(deps.db, row)
    else
      ok, err = deps.db:commit {
        {
          "UPDATE inbox SET attempts = attempts + 1 WHERE source = $1 AND key = $2", row.source,
          row.key,
        },
      }
      if ok then ok, err = deps.turn:resume(row) end
    end
    if not ok then
      deps.log("error", "a turn could not be taken up again", {
        dialog_id = row.dialog_id, trace_id = row.trace_id, code = err.code, error = err.message,
      })
    end
  end
  return #rows
end

return M
