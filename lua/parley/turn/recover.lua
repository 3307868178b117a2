-- Messages and jobs that were durable when their worker went down, and not finished: taken up by
-- the same worker when it is back, or by another one when it stays away.

local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}

local ATTEMPTS = 3
local LOOK_S = 2

-- What brought the host down three times is set aside for a person to look at.
local function give_up(deps, row)
  local job = row.source:find "^job:" and json.decode(row.payload)
  local source = job and ("job:%s#%s"):format(job.plugin, job.id) or row.source .. "#" .. row.key
  return deps.db:commit {
    {
      "UPDATE inbox SET state = 'failed', payload = NULL WHERE source = $1 AND key = $2 "
        .. "AND state = 'open'", row.source, row.key, expect = 1,
    },
    {
      "UPDATE dialogs SET lease_owner = NULL WHERE id = $1 AND lease_owner = $2", row.dialog_id,
      deps.owner,
    },
    {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      crypto.uuid7(), source, row.payload,
      json.encode { code = "crashed", message = "its turn did not finish" }, row.attempts,
      row.trace_id, time.now_ms(),
    },
    job and { "UPDATE jobs SET state = 'failed' WHERE id = $1 AND state = 'open'", job.id } or nil,
  }
end

local function take_up(deps, row)
  local ok, err
  if row.attempts >= ATTEMPTS then
    ok, err = give_up(deps, row)
    if ok then
      meters.dead_letters:with(row.source:find "^job:" and "job" or "message"):inc()
    end
  else
    ok, err = deps.turn:resume(row)
  end
  if not ok then
    deps.log("error", "a turn could not be taken up again", {
      dialog_id = row.dialog_id, trace_id = row.trace_id, code = err.code, error = err.message,
    })
  end
end

local CLAIM = "UPDATE inbox SET owner = $1 WHERE state = 'open' AND %s RETURNING source, key, "
  .. "dialog_id, payload, body_hash, trace_id, received_at, part_of, attempts"
local CLAIM_OF = CLAIM:format "owner = $2"
local CLAIM_IN = CLAIM:format "owner = $1 AND dialog_id = $2"
-- Rows without an owner were written before there were owners.
local CLAIM_OWN = CLAIM:format "(owner = $1 OR owner IS NULL)"
local CLAIM_ALL = CLAIM:format "1 = 1"

local TAKE = "UPDATE dialogs SET lease_owner = $1 WHERE lease_owner = $2"
local TAKE_ALL = "UPDATE dialogs SET lease_owner = $1 WHERE lease_owner IS NOT NULL"

-- Dialogs that were held for actions that came late: whoever has brought them brings them again.
local FREE = "UPDATE dialogs SET lease_owner = NULL WHERE lease_owner = $2 AND NOT EXISTS "
  .. "(SELECT 1 FROM inbox WHERE inbox.state = 'open' AND inbox.owner = $1 "
  .. "AND inbox.dialog_id = dialogs.id)"
local FREE_ONE = FREE .. " AND id = $3"

local COUNT = "UPDATE inbox SET attempts = attempts + 1 WHERE source = $1 AND key = $2"
local COUNTED_AT_ONCE = 500

-- Of a dialog only the first can have brought the host down: the others have waited for it, and a
-- part of a message for the other parts.
local function count(deps, rows)
  local seen, statements = {}, {}
  for _, row in ipairs(rows) do
    if not seen[row.dialog_id] and not row.part_of then
      statements[#statements + 1] = { COUNT, row.source, row.key }
    end
    seen[row.dialog_id] = true
  end
  for i = 1, #statements, COUNTED_AT_ONCE do
    local last = math.min(i + COUNTED_AT_ONCE - 1, #statements)
    local ok, err = deps.db:commit { unpack(statements, i, last) }
    if not ok then return nil, err end
  end
  return true
end

-- Each turn is in the lane of its dialog when this returns, oldest first, before any new message,
-- and goes on beside what the host does next: one that is slow, or brings the host down again,
-- keeps nobody else waiting.
local function take_up_all(deps, rows)
  -- Updates that have come together have the same time, and keys that count.
  table.sort(rows, function(a, b)
    if a.received_at ~= b.received_at then return a.received_at < b.received_at end
    if #a.key ~= #b.key then return #a.key < #b.key end
    return a.key < b.key
  end)
  local ok, err = count(deps, rows)
  if not ok then return nil, err end
  local tasks, now = {}, time.mono()
  for i, row in ipairs(rows) do
    row.left = now
    tasks[i] = task.spawn(take_up, deps, row)
  end
  return tasks
end

---Takes up what this worker itself has left, before it serves. A database in a file has one
---worker: all that is left is its own, whatever it was called when it left it.
---@param deps {db: table, turn: table, lanes: table, owner: string, log: function}
---@return table|nil tasks one for each turn
---@return table|nil err
function M.run(deps)
  local alone, owner = deps.db:dialect() == "sqlite", deps.owner
  local statements = { { alone and CLAIM_ALL or CLAIM_OWN, owner } }
  if alone then statements[2] = { TAKE_ALL, owner } end
  statements[#statements + 1] = { FREE, owner, owner }
  local results, err = deps.db:commit(statements)
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
    lease:guard(), { CLAIM_OF, deps.owner, gone }, { FREE, deps.owner, gone },
    { TAKE, deps.owner, gone },
  }
  if not results then error(err, 0) end
  local tasks
  tasks, err = take_up_all(deps, results[2].rows or {})
  if not tasks then error(err, 0) end
  return #tasks
end

---What this worker has left in a dialog.
---@param deps {db: table, owner: string}
---@param id string of the dialog
---@return table[]|nil rows of inbox, oldest first
---@return table|nil err
function M.left(deps, id)
  return deps.db:query("SELECT source, key, dialog_id, payload, body_hash, trace_id, received_at, "
    .. "part_of FROM inbox WHERE state = 'open' AND owner = $1 AND dialog_id = $2 "
    .. "ORDER BY received_at, length(key), key",
    deps.owner, id)
end

---Gives a dialog back, in its lane, for which nothing is left.
---@param deps {db: table, owner: string}
---@param id string of the dialog
function M.free(deps, id)
  return deps.db:commit { { FREE_ONE, deps.owner, deps.owner, id } }
end

local LEFT = "SELECT id FROM dialogs WHERE lease_owner = $1 "
  .. "UNION SELECT dialog_id FROM inbox WHERE state = 'open' AND owner = $1"

-- In the lane nobody else of this worker is at the dialog: what there is has been left. Those who
-- take it up stand in the lane before it is given back.
local function look_at(deps, id)
  local ok, err = deps.lanes:enter(id, LOOK_S)
  if not ok then return nil, err end
  local results
  results, err = deps.db:commit {
    { CLAIM_IN, deps.owner, id }, { FREE_ONE, deps.owner, deps.owner, id },
  }
  local tasks
  if results then tasks, err = take_up_all(deps, results[1].rows or {}) end
  deps.lanes:leave(id)
  if tasks and #tasks > 0 then
    deps.log("warn", "turns that were left go on", { dialog_id = id, turns = #tasks })
  end
  return tasks, err
end

---Takes up what this worker has left while it goes on: a commit of which nothing was heard, and
---that was found to be there only later; a turn that the database has refused.
---@param deps table as for run
---@return boolean|nil ok
---@return table|nil err
function M.look(deps)
  local rows, err = deps.db:query(LEFT, deps.owner)
  for _, row in ipairs(rows or {}) do
    if not err and not deps.lanes:busy(row.id) and not deps.turn.queue:holds(row.id) then
      local ok
      ok, err = look_at(deps, row.id)
      if ok or err.op == "lane" then err = nil end
    end
  end
  return err == nil, err
end

---Looks for ever. That the database is away is told by others.
---@param deps table as for run
function M.watch(deps)
  while true do
    task.sleep(LOOK_S)
    M.look(deps)
  end
end

return M
