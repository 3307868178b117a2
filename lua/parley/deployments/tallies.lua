-- What all workers have counted of a deployment, added up.

local compare = require "parley.deployments.compare"
local counts = require "parley.deployments.counts"
local time = require "host.time"

local M = {}

local RECENT = 2 -- slices, the latest of them not over yet

local function both() return { canary = compare.tally(), stable = compare.tally() } end

---@param db table
---@param row parley.Deployment
---@return {canary: parley.Tally, stable: parley.Tally}|nil whole since it began
---@return {canary: parley.Tally, stable: parley.Tally}|table recent a fifth of its window; or the
---  error
function M.read(db, row)
  local rows, err = db:query("SELECT slice, side, counts FROM deployment_counts WHERE plugin = $1 "
    .. "AND number = $2", row.plugin, row.number)
  if not rows then return nil, err end
  local whole, recent = both(), both()
  local since = time.now_ms() - RECENT * row.window_ms / counts.SLICES
  for _, r in ipairs(rows) do
    local tally = counts.decode(r.counts)
    compare.add(whole[r.side], tally)
    if r.slice > since then compare.add(recent[r.side], tally) end
  end
  return whole, recent
end

---@param pair {canary: parley.Tally, stable: parley.Tally}
---@return table for people and programs
function M.summary(pair)
  return { canary = compare.summary(pair.canary), stable = compare.summary(pair.stable) }
end

---What takes away the rows of one that is decided.
---@param row parley.Deployment
---@return table statement
function M.forget(row)
  return {
    "DELETE FROM deployment_counts WHERE plugin = $1 AND number = $2", row.plugin, row.number,
  }
end

---What takes away rows that a worker has written while the deployment was being decided.
---@return table statement
function M.sweep()
  return {
    "DELETE FROM deployment_counts WHERE NOT EXISTS (SELECT 1 FROM deployments d WHERE d.plugin = "
      .. "deployment_counts.plugin AND d.number = deployment_counts.number "
      .. "AND d.state = 'running')",
  }
end

return M
