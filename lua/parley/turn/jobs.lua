-- The scheduler of jobs: what plugins have scheduled fires when it is due, also after a restart.
--
-- A start is written down before the job is fired: one whose starts nobody has seen end has brought
-- the host down each time, and is given up like such a message (parley.turn.recover).

local audit = require "parley.store.audit"
local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local recurring = require "parley.turn.recurring"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

-- Workers that are ended from outside do not meet the same job so often in a row.
local STARTS = 5
local ATTEMPTS = 12 -- over an hour: a plugin that is away for a while loses nothing
local PAUSE_MAX_S = 1800
local HELD_S = 60  -- what a job waits whose plugin is disabled or gone
local AT_ONCE = 32 -- jobs under way
local LOOK_S = 30  -- at the latest; a new job wakes the scheduler at once
local LOOK_SHARED_S = 1 -- where other workers schedule jobs, too

---@param deps {db: table, turn: table, manager: table, log: function}
function M.new(deps)
  return setmetatable({
    db = deps.db, turn = deps.turn, manager = deps.manager, log = deps.log, changed = task.cond(),
    running = {}, count = 0, outlived = {}, -- running: by their dialogs
    look_s = deps.db:dialect() == "sqlite" and LOOK_S or LOOK_SHARED_S,
  }, M)
end

---A job was committed, or one has ended: look again. What happens while the scheduler is looking
---must not be missed, so it is noted and not only signalled.
function M:wake()
  self.again = true
  self.changed:signal()
end

---What becomes of a job by its turn: done, or tried again later, a few times.
---@param turn table that has run
---@return {state: string, run_at: integer, next_at: integer|nil} next_at: of one that comes again
function M.after(turn)
  local job = turn.job
  local out = { state = "done", run_at = job.run_at }
  if turn.status == "failed" then
    local attempts = job.attempts + 1
    out.state = attempts >= ATTEMPTS and "failed" or "open"
    out.run_at = time.now_ms() + 1000 * math.min(2 ^ attempts, PAUSE_MAX_S)
  end
  out.next_at = recurring.next(job, out.state, turn.status == "failed" and not turn.failed)
  return out
end

-- A job whose plugin is disabled or gone waits, and no attempt is used up: one that has hung the
-- host must not be fired at it again before an operator says so.
local function hold(self, job)
  local plugin = self.manager.current.chooser.by_name[job.plugin]
  if plugin and plugin.state ~= "disabled" then return false end
  meters.jobs:with("held"):inc()
  local ok, err = self.db:commit {
    {
      "UPDATE jobs SET run_at = $2 WHERE id = $1 AND state = 'open'", job.id,
      time.now_ms() + HELD_S * 1000,
    },
  }
  if not ok then
    self.log("error", "a job cannot be put off", { code = err.code, error = err.message })
    task.sleep(1)
  end
  return true
end

-- Writes down that the job is started; "conflict" when somebody else has fired it meanwhile. What
-- this worker has seen end without a commit - the database was away, the dialog busy - has not
-- brought it down.
local function begin(self, job)
  job.starts = self.outlived[job.id] and 1 or job.starts + 1
  return self.db:commit { {
    "UPDATE jobs SET starts = $2 WHERE id = $1 AND state = 'open' AND attempts = $3",
    job.id, job.starts, job.attempts, expect = 1,
  } }
end

-- For a person to look at.
local function give_up(self, job)
  local message = ("it has brought the host down %d times"):format(job.starts)
  local ok, err = self.db:commit {
    {
      "UPDATE jobs SET state = 'failed' WHERE id = $1 AND state = 'open'", job.id, expect = 1,
    },
    {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      crypto.uuid7(), ("job:%s#%s"):format(job.plugin, job.id),
      json.encode { job = job.job, data = job.data, dialog_id = job.dialog_id },
      json.encode { code = "crashed", message = message }, job.starts, job.trace_id,
      time.now_ms(),
    },
    audit.insert {
      source = job.plugin, action = "job_abandoned", severity = "error", trace_id = job.trace_id,
      details = { job = job.job, dialog_id = job.dialog_id, message = message },
    },
  }
  if not ok then return nil, err end
  meters.job "failed"
  self.log("error", "a job is given up: " .. message, {
    job = job.job, plugin = job.plugin, trace_id = job.trace_id,
  })
  return true
end

local function run(self, job)
  local good, problem
  local lost = job.starts >= STARTS and not self.outlived[job.id]
  if lost then good, problem = give_up(self, job) else good, problem = begin(self, job) end
  if not good and problem.code ~= "conflict" then
    self.log("error", "a job cannot be started", { code = problem.code, error = problem.message })
    task.sleep(1)
  end
  if lost or not good then return end
  meters.job_delay:observe((time.now_ms() - job.run_at) / 1000)
  local ok, turn, err = pcall(self.turn.fire, self.turn, job)
  if not ok then turn, err = nil, { code = "internal", message = tostring(turn) } end
  self.outlived[job.id] = not turn and err.code ~= "conflict" or nil
  if turn then meters.job(turn.job_after.state) end
  if turn and turn.status == "failed" then
    err = turn.failed or { code = "declined", message = "the plugin has no handler for this job" }
  end
  -- "conflict": somebody else has fired it.
  if err and err.code ~= "conflict" then
    self.log("warn", "job failed", {
      job = job.job, plugin = job.plugin, attempts = job.attempts + 1, code = err.code,
      error = err.message, trace_id = job.trace_id,
    })
    -- Nothing was committed: its row is still due, and is not to be looked at in a tight loop.
    if not turn then task.sleep(1) end
  end
end

local function fire(self, job)
  if not hold(self, job) then run(self, job) end
  self.running[job.dialog_id] = nil
  self.count = self.count - 1
  self:wake()
end

-- The next job of each dialog: however many of one are due, those of others are seen.
local NEXT = "SELECT id, plugin, job, dialog_id, data, run_at, attempts, starts, trace_id, "
  .. "data_version, name, every_ms, due_at FROM jobs j WHERE state = 'open' AND id = (SELECT o.id "
  .. "FROM jobs o WHERE o.dialog_id = j.dialog_id AND o.state = 'open' ORDER BY o.run_at, o.id "
  .. "LIMIT 1) ORDER BY run_at, id LIMIT $1"

-- Starts what is due, one job of a dialog at a time: they fire in the order in which they are due.
-- Returns how long the next one may sleep.
local function look(self)
  local now = time.now_ms()
  local rows, err = self.db:query(NEXT, 2 * AT_ONCE)
  if not rows then
    self.log("error", "jobs cannot be read", { code = err.code, error = err.message })
    return 1
  end
  for _, job in ipairs(rows) do
    if not self.running[job.dialog_id] then
      if job.run_at > now then return math.min((job.run_at - now) / 1000, self.look_s) end
      if self.count >= AT_ONCE then return self.look_s end
      job.data = job.data and json.decode(job.data)
      self.running[job.dialog_id] = true
      self.count = self.count + 1
      task.spawn(fire, self, job)
    end
  end
  return self.look_s
end

---No further job is started.
function M:stop()
  self.stopped = true
  self:wake()
end

---Runs until it is stopped or another worker has taken over. Jobs that are under way then are
---finished; that none is fired twice is seen to by its row and by the hold on its dialog.
---@param lease parley.Lease
function M:run(lease)
  while not self.stopped and lease:held() do
    self.again = false
    local pause = look(self)
    if not self.again then self.changed:wait(math.max(pause, 0.001)) end
  end
end

return M
