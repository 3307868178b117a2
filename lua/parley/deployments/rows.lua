-- The table `deployments`: versions of plugins that were put in service by `plugin deploy`, for all
-- dialogs or, on trial, for a share of them. What serves beside a canary, and afterwards, the pin
-- of the plugin says (parley.plugins.versions), which changes in the same transaction. Rows are
-- kept, so that no number is used again.

local json = require "host.json"
local time = require "host.time"

local M = {}

---@class parley.Deployment
---@field plugin string
---@field number integer
---@field state "running"|"promoted"|"rolled_back"|"cancelled"
---@field stable string|nil hash of the bundle that served before; nil: none did
---@field stable_version string|nil
---@field canary string hash of the new bundle
---@field canary_version string
---@field origin "shipped"|"home"|"bundle" of the new bundle
---@field share integer of the dialogs that get the new one, basis points
---@field window_ms integer
---@field max_window_ms integer
---@field thresholds parley.DeploymentLimits
---@field counts table|nil of both versions, when it was decided
---@field reason string|nil
---@field created_by string
---@field started_at integer
---@field undecided_at integer|nil
---@field decided_at integer|nil
---@field updated_at integer

local function decode(row)
  row.thresholds = json.decode(row.thresholds)
  row.counts = row.counts and json.decode(row.counts)
  return row
end

local function decode_all(rows, err)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do decode(row) end
  return rows
end

---@param db table
---@return parley.Deployment[]|nil rows those that run, by the name of the plugin
---@return table|nil err
function M.running(db)
  return decode_all(db:query "SELECT * FROM deployments WHERE state = 'running' ORDER BY plugin")
end

---@param db table
---@param plugin string
---@param limit integer
---@return parley.Deployment[]|nil rows newest first
---@return table|nil err
function M.of_plugin(db, plugin, limit)
  return decode_all(db:query(
    "SELECT * FROM deployments WHERE plugin = $1 ORDER BY number DESC LIMIT $2", plugin, limit))
end

---@param db table
---@param plugin string
---@return parley.Deployment|nil row nil without an error when there is none
---@return table|nil err
function M.last(db, plugin)
  local rows, err = M.of_plugin(db, plugin, 1)
  return rows and rows[1], err
end

---What became of a version when it was put in service the last time.
---@param db table
---@param plugin string
---@param hash string of its bundle
---@return parley.Deployment|nil row nil without an error when there is none
---@return table|nil err
function M.of_bundle(db, plugin, hash)
  local row, err = db:first("SELECT * FROM deployments WHERE plugin = $1 AND canary = $2 "
    .. "ORDER BY number DESC LIMIT 1", plugin, hash)
  return row and decode(row), err
end

---What every worker has of the rows that run, as text: another text, another generation.
---@param rows parley.Deployment[]
---@return string
function M.mark(rows)
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = ("%s/%d:%s:%d"):format(row.plugin, row.number, row.canary, row.share)
  end
  return table.concat(out, "\n")
end

-- statements --------------------------------------------------------------------------------------

---A new deployment; "unique" when somebody else was quicker.
---@param d table the fields of parley.Deployment that it begins with
---@return table statement
function M.insert(d)
  local now = time.now_ms()
  return {
    "INSERT INTO deployments (plugin, number, state, stable, stable_version, canary, "
      .. "canary_version, origin, share, window_ms, max_window_ms, thresholds, reason, created_by, "
      .. "started_at, decided_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
      .. "$11, $12, $13, $14, $15, $16, $15)",
    d.plugin, d.number, d.state, d.stable or json.null, d.stable_version or json.null, d.canary,
    d.canary_version, d.origin, d.share, d.window_ms, d.max_window_ms, json.encode(d.thresholds),
    d.reason or json.null, d.created_by, now, d.state == "running" and json.null or now, n = 16,
  }
end

---Another share for one that runs; "conflict" when it does not any more.
---@param row parley.Deployment
---@param share integer basis points
---@return table statement
function M.change_share(row, share)
  return {
    "UPDATE deployments SET share = $3, updated_at = $4 WHERE plugin = $1 AND number = $2 "
      .. "AND state = 'running'", row.plugin, row.number, share, time.now_ms(), expect = 1,
  }
end

---The end of one that runs; "conflict" when somebody else has decided.
---@param row parley.Deployment
---@param state "promoted"|"rolled_back"|"cancelled"
---@param reason string
---@param counts table
---@return table statement
function M.decide(row, state, reason, counts)
  return {
    "UPDATE deployments SET state = $3, reason = $4, counts = $5, decided_at = $6, "
      .. "updated_at = $6 WHERE plugin = $1 AND number = $2 AND state = 'running'",
    row.plugin, row.number, state, reason, json.encode(counts), time.now_ms(), expect = 1,
  }
end

---Its longest window has passed; from now on a person decides.
---@param row parley.Deployment
---@param reason string
---@return table statement
function M.leave_undecided(row, reason)
  return {
    "UPDATE deployments SET undecided_at = $3, reason = $4, updated_at = $3 WHERE plugin = $1 "
      .. "AND number = $2 AND state = 'running' AND undecided_at IS NULL", row.plugin, row.number,
    time.now_ms(), reason, expect = 1,
  }
end

return M
