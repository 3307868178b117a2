-- What waits in the database. All workers and instances share it: it is asked when somebody wants
-- to know, and nothing is added up.

local metrics = require "parley.ops.metrics"
local task = require "host.task"
local time = require "host.time"

local M = { registry = metrics.new() }
local r = M.registry

local COUNTED_MAX = 10000 -- of each queue: a backlog must not make the question slow
local TIMEOUT_S = 2

local up = r:gauge("parley_database_up", "1 when the database has answered.", nil,
  { merge = "max" })
local depth = r:gauge("parley_queue_depth",
  "Rows that wait: inbox (messages under way), jobs (due), outbox (replies to send), events (to be "
    .. "published), dead_letters (for a person); at most 10000 are counted.",
  { "queue" }, { merge = "max" })
local oldest = r:gauge("parley_queue_oldest_seconds", "How long the first of a queue has waited.",
  { "queue" }, { merge = "max" })
local scheduled = r:gauge("parley_jobs_scheduled", "Jobs that are due later; at most 10000.", nil,
  { merge = "max" })

-- Queue: what selects the time from which each of its rows waits, oldest first.
local QUEUES = {
  inbox = "SELECT received_at AS at FROM inbox WHERE state = 'open' ORDER BY received_at",
  jobs = "SELECT run_at AS at FROM jobs WHERE state = 'open' AND run_at <= $1 ORDER BY run_at",
  outbox = "SELECT created_at AS at FROM outbox WHERE state = 'open' ORDER BY sender, lane, id",
  events = "SELECT created_at AS at FROM streams ORDER BY id",
  dead_letters = "SELECT created_at AS at FROM dead_letters ORDER BY id",
  scheduled = "SELECT run_at AS at FROM jobs WHERE state = 'open' AND run_at > $1 ORDER BY run_at",
}

local function question()
  local parts = {}
  for queue, select in pairs(QUEUES) do
    parts[#parts + 1] = ("SELECT '%s' AS queue, count(*) AS n, min(at) AS at "
      .. "FROM (%s LIMIT %d) AS q"):format(queue, select, COUNTED_MAX)
  end
  return table.concat(parts, " UNION ALL ")
end

local QUESTION = question()

local function take(rows)
  local now = time.now_ms()
  for _, row in ipairs(rows) do
    if row.queue == "scheduled" then
      scheduled:set(row.n)
    else
      depth:with(row.queue):set(row.n)
      oldest:with(row.queue):set(row.at and math.max(0, now - row.at) / 1000 or 0)
    end
  end
end

---Asks the database. One that does not answer is left out, and said to be down: the other metrics
---are what an operator needs then.
---@param db table
---@return parley.metrics.Snapshot[]
function M.snapshot(db)
  local asked = task.child(db.query, db, QUESTION, time.now_ms())
  local done, rows = asked:join(TIMEOUT_S)
  local ok = done and rows and true or false
  if not done then asked:cancel() end
  up:set(ok and 1 or 0)
  depth:clear()
  oldest:clear()
  if ok then take(rows) end
  return r:snapshot()
end

return M
