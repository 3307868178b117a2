-- Messages that were durable when their worker went down, and not finished: taken up by the same
-- worker when it is back, or by another one when it stays away.

local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}

local ATTEMPTS = 3

-- A message that brought the host down three times is set aside for a person to look at.
local function give_up(deps, row)
  return deps.db:commit {
    {
      "UPDATE inbox SET state = 'failed', payload = NULL WHERE source = $1 AND key = $2 "
        .. "AND state = 'open'", row.source, row.key, expect = 1,
    },
    {
      "UPDATE dialogs SET lease_owner = NULL, lease_until = NULL WHERE id = $1 "
        .. "AND lease_owner = $2", row.dialog_id, deps.owner,
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
    ok, err = give_up(deps, row)
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

local CLAIM = "UPDATE inbox SET owner = $1, attempts = attempts + 1 WHERE state = 'open' AND %s "
  .. "RETURNING source, key, dialog_id, payload, body_hash, trace_id, received_at, attempts - 1 "
  .. "AS attempts"
-- Rows without an owner were written before there were owners.
local CLAIM_OWN = CLAIM:format "(owner = $1 OR owner IS NULL)"
local CLAIM_OTHERS = CLAIM:format "owner = $2"

-- Dialogs that were held for something else than a message, such as a job: nobody finishes that
-- under the same hold.
local FREE = "UPDATE dialogs SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $2 "
  .. "AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.state = 'open' AND inbox.owner = $1 "
  .. "AND inbox.dialog_id = dialogs.id)"
local TAKE = "UPDATE dialogs SET lease_owner = $1 WHERE lease_owner = $2"

-- Each turn is in the lane of its dialog when this returns, oldest first, before any new message,
-- and goes on beside what the host does next: one that is slow, or brings the host down again,
-- keeps nobody else waiting.
local function take_up_all(deps, rows)
  table.sort(rows, function(a, b) return a.received_at < b.received_at end)
  local tasks = {}
  for i, row in ipairs(rows) do tasks[i] = task.spawn(take_up, deps, row) end
  return tasks
end

---Takes up what this worker itself has left, before it serves.
---@param deps {db: table, turn: table, owner: string, log: function}
---@return table|nil tasks one for each turn
---@return table|nil err
function M.run(deps)
  local results, err = deps.db:commit {
    { CLAIM_OWN, deps.owner }, { FREE, deps.owner, deps.owner },
  }
  if not results then return nil, err end
  return take_up_all(deps, results[1].rows or {})
end

---Which workers have something that is not finished.
---@param db table
---@return string[]|nil names
---@return table|nil err
function M.owners(db)
  local rows, err = db:query("SELECT owner FROM inbox WHERE state = 'open' AND owner IS NOT NULL "
    .. "UNION SELECT lease_owner FROM dialogs WHERE lease_owner IS NOT NULL")
  if not rows then return nil, err end
  for i, row in ipairs(rows) do rows[i] = row.owner end
  return rows
end

---Takes up what another worker has left, which is gone. Raises the err of the database.
---@param deps table as for run
---@param gone string its name
---@param lease parley.Lease
---@return integer turns
function M.run_for(deps, gone, lease)
  local results, err = deps.db:commit {
    lease:guard(), { CLAIM_OTHERS, deps.owner, gone }, { FREE, deps.owner, gone },
    { TAKE, deps.owner, gone },
  }
  if not results then error(err, 0) end
  return #take_up_all(deps, results[2].rows or {})
end

return M
