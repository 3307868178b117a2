-- Jobs that come again, and jobs that have an id by which their plugin takes them back.
--
-- One that comes again is one open row at a time: the turn that fires it puts the next one in its
-- place, on the grid that it began with, whatever a retry has cost. What was missed while nobody
-- was there is made up for once.

local time = require "host.time"

local M = {}

---@type integer seconds between two times, at least
M.EVERY_MIN = 60
---@type integer seconds between two times, at most
M.EVERY_MAX = 366 * 86400
---@type integer of a plugin in a dialog
M.MAX = 20

local LISTED = 200

---What a plugin has scheduled in a dialog under an id, the next one first.
---@param db table
---@param dialog_id string
---@param plugin string
---@return {name: string, job: string, data: string|nil, every_ms: integer|nil,
---  run_at: integer}[]|nil rows
---@return table|nil err
function M.list(db, dialog_id, plugin)
  return db:query("SELECT name, job, data, every_ms, run_at FROM jobs WHERE dialog_id = $1 "
    .. "AND plugin = $2 AND state = 'open' AND name IS NOT NULL ORDER BY run_at, name LIMIT $3",
    dialog_id, plugin, LISTED)
end

-- There are never more than M.MAX of them, however many there are that come once.
local COMING_AGAIN = "SELECT name FROM jobs WHERE dialog_id = $1 AND plugin = $2 "
  .. "AND state = 'open' AND name IS NOT NULL AND every_ms IS NOT NULL"

-- The ids of an answer that come again, and those that do not any more.
local function changes(actions)
  local begin, over, any = {}, {}, false
  for _, action in ipairs(actions) do
    local id = action.type == "schedule" and (action.id or action.every and action.job)
      or action.type == "unschedule" and action.id
    if id then
      begin[id] = action.every ~= nil or nil
      over[id] = true
      any = any or action.every ~= nil
    end
  end
  return begin, over, any
end

---Whether an answer would make more of them than a dialog may have.
---@param db table
---@param turn table
---@param plugin parley.Plugin
---@param actions table[] of its answer
---@return boolean|nil ok
---@return table|nil PluginError, or the database's
function M.check(db, turn, plugin, actions)
  local begin, over, any = changes(actions)
  if not any then return true end
  local rows, err = db:query(COMING_AGAIN, turn.dialog.id, plugin.name)
  if not rows then return nil, err end
  local n = 0
  for _ in pairs(begin) do n = n + 1 end
  for _, row in ipairs(rows) do
    if not over[row.name] then n = n + 1 end
  end
  if n <= M.MAX then return true end
  return nil, {
    code = "quota", retryable = false, plugin = plugin.name,
    message = ("schedule: a plugin has at most %d jobs that come again in a dialog: take one back "
      .. "by 'unschedule'"):format(M.MAX),
  }
end

---@param dialog_id string
---@param plugin string
---@param name string
---@return table statement
function M.take_back(dialog_id, plugin, name)
  return {
    "UPDATE jobs SET state = 'cancelled' WHERE dialog_id = $1 AND plugin = $2 AND name = $3 "
      .. "AND state = 'open'", dialog_id, plugin, name,
  }
end

---The next time of a job that comes again, nil: there is none. One that nobody takes any more is
---over when its attempts are.
---@param job table row of jobs
---@param state string what has become of this time
---@param declined boolean
---@return integer|nil ms
function M.next(job, state, declined)
  if not job.every_ms or state == "open" or declined then return nil end
  local steps = math.floor((time.now_ms() - job.due_at) / job.every_ms) + 1
  return job.due_at + math.max(1, steps) * job.every_ms
end

-- The data stay as they were given: each time they pass through the plugin's migrations.
local AGAIN = "INSERT INTO jobs (id, plugin, job, dialog_id, data, run_at, state, trace_id, "
  .. "created_at, data_version, name, every_ms, due_at) SELECT $2, plugin, job, dialog_id, data, "
  .. "$3, 'open', trace_id, created_at, data_version, name, every_ms, $3 FROM jobs WHERE id = $1"

---What puts the next time in the place of one that is over. Those that went well leave no row; what
---has failed stays for a person, and is one of a kind.
---@param job table row of jobs, not open any more
---@param state "done"|"failed"
---@param next_id string
---@param next_at integer
---@return table[] statements
function M.again(job, state, next_id, next_at)
  return {
    { AGAIN, job.id, next_id, next_at, expect = 1 },
    state == "done" and { "DELETE FROM jobs WHERE id = $1", job.id, expect = 1 }
      or { "UPDATE jobs SET name = NULL, every_ms = NULL WHERE id = $1", job.id, expect = 1 },
  }
end

return M
