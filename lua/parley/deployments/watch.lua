-- Compares the versions of deployments that run, and decides. One worker of all does.
--
-- A canary that is clearly worse is rolled back at once, whatever its window. At the end of the
-- window it is promoted, unless something stands against it: too few calls, or a doubt. Then the
-- window goes on, up to the longest one; after that a person decides, but it is still rolled back
-- when it is clearly worse.

local compare = require "parley.deployments.compare"
local crypto = require "host.crypto"
local decide = require "parley.deployments.decide"
local log = require "parley.ops.log"
local registry = require "parley.plugins.registry"
local rows = require "parley.deployments.rows"
local statistics = require "parley.deployments.statistics"
local tallies = require "parley.deployments.tallies"
local task = require "host.task"
local time = require "host.time"

local M = {}

local LOOK_S = 1
local SWEEP_S = 300

local function leave(core, lease, row, reason)
  local statements = { lease:guard(), rows.leave_undecided(row, reason) }
  for _, s in ipairs(registry.fact(core.shared, row.plugin, "deployment_undecided", "warning",
    decide.details(row, { message = reason }))) do
    statements[#statements + 1] = s
  end
  local ok, err = core.db:commit(statements)
  if ok then core.shared:published() end
  return ok, err
end

-- Which look at the canary's calls is due. A look that has been made is remembered by the caller;
-- one who takes over makes the last one again, with the same numbers or a few more.
local function look_due(row, calls, looked)
  local key = ("%s/%d"):format(row.plugin, row.number)
  local look = statistics.look(calls)
  if not look or looked[key] and look <= looked[key] then return nil end
  looked[key] = look
  return look
end

-- Few rows are read at each look, however long a trial lasts.
local function compact(core, lease, row, n)
  local statements, err = tallies.compact(core.db, row, n)
  if not statements then return err == nil, err end
  table.insert(statements, 1, lease:guard())
  return core.db:commit(statements)
end

local function examine(core, lease, row, looked)
  local whole, recent, n = tallies.read(core.db, row)
  if not whole then return nil, recent end
  local limits = row.thresholds
  local reason, critical =
    compare.is_worse(whole, recent, limits, look_due(row, whole.canary.calls, looked))
  if reason then
    return decide.run(core, row, "rolled_back", {
      reason = reason, critical = critical, by = "watch", first = lease:guard(),
    })
  end
  local age = time.now_ms() - row.started_at
  if age < row.window_ms or row.undecided_at then return compact(core, lease, row, n) end
  local obstacle = compare.obstacle(whole, limits)
  if not obstacle then
    return decide.run(core, row, "promoted", {
      reason = "no worse than the stable version", by = "watch", first = lease:guard(),
    })
  end
  if age < row.max_window_ms then return compact(core, lease, row, n) end
  return leave(core, lease, row, ("no decision in the longest window: %s; promote it or abort it")
    :format(obstacle))
end

---Looks at every deployment that runs.
---@param core table parley.core
---@param lease parley.Lease
---@param looked table<string, integer> the last looks; the caller's
---@return boolean|nil ok
---@return table|nil err
function M.once(core, lease, looked)
  local list, err = rows.running(core.db)
  if not list then return nil, err end
  local failed
  for _, row in ipairs(list) do
    task.trace(crypto.trace_id())
    local ok, problem = examine(core, lease, row, looked)
    -- "conflict": an operator was faster, or another worker watches now.
    if not ok and problem.code ~= "conflict" then failed = problem end
  end
  return not failed, failed
end

---Watches while the lease is held.
---@param core table parley.core
---@param lease parley.Lease
function M.run(core, lease)
  local looked, swept = {}, nil
  while lease:held() do
    local ok, err = M.once(core, lease, looked)
    if ok and (not swept or time.mono() - swept > SWEEP_S) then
      swept = time.mono()
      ok, err = core.db:commit { lease:guard(), tallies.sweep() }
    end
    if not ok and err.code ~= "conflict" then
      log.write("error", "deployments cannot be watched", { error = err.message })
    end
    lease:sleep(LOOK_S)
  end
end

return M
