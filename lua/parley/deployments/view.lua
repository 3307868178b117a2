-- A deployment for people and programs.

local time = require "host.time"

local M = {}

local function stamp(ms) return ms and time.rfc3339(ms) or nil end

---@param row parley.Deployment
---@param counts table|nil of tallies.summary, while it runs
---@return table DeploymentV1
function M.of(row, counts)
  local running = row.state == "running"
  return {
    plugin_id = row.plugin, number = row.number, state = row.state,
    share_percent = row.share / 100,
    canary = { version = row.canary_version, hash = row.canary },
    stable = row.stable and { version = row.stable_version, hash = row.stable } or nil,
    window_seconds = row.window_ms / 1000, max_window_seconds = row.max_window_ms / 1000,
    min_calls = row.thresholds.min_calls, error_margin = row.thresholds.error_margin,
    latency_ratio = row.thresholds.latency_ratio, counts = counts or row.counts,
    reason = row.reason, created_by = row.created_by, started_at = stamp(row.started_at),
    window_ends_at = running and stamp(row.started_at + row.window_ms) or nil,
    undecided_at = stamp(row.undecided_at), decided_at = stamp(row.decided_at),
  }
end

return M
