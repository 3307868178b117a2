-- Turns whose plugin has answered 202 and has let its time pass: the user is told, as the plugin's
-- on_error says, and the audit knows of a timeout. One worker of all looks after them.

local log = require "parley.ops.log"
local task = require "host.task"
local time = require "host.time"

local M = {}

local LOOK_S = 0.5
local AT_ONCE = 16

local FIND = "SELECT * FROM continuations WHERE done_at IS NULL AND expires_at <= $1 "
  .. "ORDER BY expires_at LIMIT $2"

-- "conflict": the actions have come at the last moment.
local function finish(core, row)
  local turn, err = core.turn:continue(row)
  if turn or err.code == "conflict" then return end
  log.write("warn", "a turn that waits for its plugin could not be ended", {
    dialog_id = row.dialog_id, plugin = row.plugin, code = err.code, error = err.message,
    trace_id = row.trace_id,
  })
end

---Ends the turns whose time has passed.
---@param core {db: table, turn: table}
---@return integer|nil turns
---@return table|nil err
function M.once(core)
  local rows, err = core.db:query(FIND, time.now_ms(), AT_ONCE)
  if not rows then return nil, err end
  local tasks = {}
  for i, row in ipairs(rows) do tasks[i] = task.spawn(finish, core, row) end
  for _, t in ipairs(tasks) do t:join() end
  return #rows
end

---Looks while the lease is held.
---@param core table parley.core
---@param lease parley.Lease
function M.run(core, lease)
  while lease:held() do
    local _, err = M.once(core)
    if err then
      log.write("error", "turns that wait for their plugins cannot be looked after",
        { error = err.message })
    end
    lease:sleep(LOOK_S)
  end
end

return M
