-- How many jobs a plugin may have open in a dialog: one that schedules two more would have no end.

local M = {}

---@type integer
M.MAX = 1000

local OPEN = "SELECT count(*) AS n FROM jobs WHERE dialog_id = $1 AND plugin = $2 "
  .. "AND state = 'open'"

---Whether an answer would make more of them.
---@param db table
---@param turn table
---@param plugin parley.Plugin
---@param actions table[] of its answer
---@return boolean|nil ok
---@return table|nil PluginError, or the database's
function M.check(db, turn, plugin, actions)
  local new = 0
  for _, action in ipairs(actions) do
    if action.type == "schedule" then new = new + 1 end
  end
  if new == 0 then return true end
  local row, err = db:first(OPEN, turn.dialog.id, plugin.name)
  if not row then return nil, err end
  if row.n + new <= M.MAX then return true end
  return nil, {
    code = "quota", retryable = false, plugin = plugin.name,
    message = ("schedule: a plugin has at most %d jobs open in a dialog"):format(M.MAX),
  }
end

return M
