-- A reload of every worker of all instances that share the database. Each reads its own folders;
-- who has asked is told what became of it in each.

local cluster = require "parley.cluster"
local json = require "host.json"
local log = require "parley.ops.log"
local task = require "host.task"
local time = require "host.time"

local M = {}

local WAIT_S = 25 -- the control socket waits for 30
local LOOK_S = 0.1

---@class parley.ReloadedWorker
---@field id string of the worker, INSTANCE/INDEX
---@field ok boolean
---@field generation integer|nil
---@field took_ms number|nil
---@field needs_restart string[]|nil
---@field message string|nil why not

local function outcome(result, err)
  if not result then return { ok = false, message = err.message } end
  return {
    ok = true, generation = result.generation, took_ms = result.took_ms,
    needs_restart = result.needs_restart,
  }
end

---Reloads this worker, because somebody has asked all of them, and says what became of it.
---@param core table parley.core
function M.follow(core)
  local revision = core.cluster:revision "reload"
  local text = json.encode(outcome(core:reload_here()))
  local ok, err = core.db:commit {
    {
      "UPDATE instances SET reload_revision = $2, reload_result = $3 WHERE id = $1",
      core.cluster.id, revision, text,
    },
  }
  if not ok then
    log.write("error", "what became of the reload is told to nobody", { error = err.message })
  end
end

local function rows_of(core)
  local rows, err = core.db:query "SELECT id, reload_revision, reload_result FROM instances"
  if not rows then return nil, err end
  local out = {}
  for _, row in ipairs(rows) do out[row.id] = row end
  return out
end

-- The workers that are there, and then the number of the reload.
local function ask(core)
  local workers, err = rows_of(core)
  if not workers then return nil, err end
  local bump = cluster.bump "reload"
  bump[1] = bump[1] .. " RETURNING version"
  local results
  results, err = core.db:commit { bump }
  if not results then return nil, err end
  return workers, results[1].rows[1].version
end

-- One of those that were asked: nil while it has not answered.
local function answer_of(row, revision)
  if not row then return { ok = false, message = "it has ended meanwhile" } end
  if (row.reload_revision or 0) < revision then return nil end
  return json.decode(row.reload_result)
end

local function collect(core, asked, revision)
  local deadline, answers = time.mono() + WAIT_S, {}
  while true do
    local rows, err = rows_of(core)
    if not rows then return nil, err end
    local open = false
    for id in pairs(asked) do
      answers[id] = answers[id] or answer_of(rows[id], revision)
      open = open or answers[id] == nil
    end
    if not open or time.mono() > deadline then return answers end
    task.sleep(LOOK_S)
  end
end

-- One worker of an embedded database, whose neighbours the supervisor knows, is all there is.
local function alone(core)
  local result, err = core:reload_everywhere()
  if not result and err.retryable then return nil, err end
  local one = outcome(result, err)
  one.id = core.cluster.id
  return { one }
end

---Has all workers of all instances reload.
---@param core table parley.core
---@return parley.ReloadedWorker[]|nil workers in the order of their ids
---@return table|nil err
function M.run(core)
  if not core.cluster.shared then return alone(core) end
  local asked, revision = ask(core)
  if not asked then return nil, revision end
  core.cluster:look()
  local answers, err = collect(core, asked, revision)
  if not answers then return nil, err end
  local out = json.array()
  for id in pairs(asked) do
    local one = answers[id]
      or { ok = false, message = ("it has not answered within %d s"):format(WAIT_S) }
    one.id = id
    out[#out + 1] = one
  end
  table.sort(out, function(a, b) return a.id < b.id end)
  return out
end

return M
