-- Registered plugins that have fallen silent are degraded: others go before them until they are
-- heard again. One worker of all watches.

local cluster = require "parley.cluster"
local crypto = require "host.crypto"
local log = require "parley.ops.log"
local registry = require "parley.plugins.registry"
local task = require "host.task"
local time = require "host.time"

local M = {}

local LOOK_S = 0.5
local AT_ONCE = 100
local MISSED = 2 -- of its own interval, for a plugin that is seldom heard

-- One that has registered, or was enabled, and was never heard since is waited for as long.
local SILENT = "SELECT id, status, last_heartbeat, heartbeat_interval_sec, updated_at "
  .. "FROM plugins WHERE registered = 1 AND ((status = 'active' "
  .. "AND COALESCE(last_heartbeat, updated_at) < $1) OR (status = 'registered' "
  .. "AND updated_at < $1)) ORDER BY name LIMIT $2"

-- Only when it is still as it was: a heartbeat in between keeps it active.
local DEGRADE = "UPDATE plugins SET status = 'degraded', reason = $4, updated_at = $5 "
  .. "WHERE id = $1 AND status = $2 AND COALESCE(last_heartbeat, 0) = $3"

local function degrade(core, lease, row, seconds)
  task.trace(crypto.trace_id())
  local reason = ("no heartbeat for %g s"):format(seconds)
  local statements = {
    lease:guard(),
    { DEGRADE, row.id, row.status, row.last_heartbeat or 0, reason, time.now_ms(), expect = 1 },
  }
  for _, s in ipairs(registry.fact(core.shared, row.id, "plugin_heartbeat_missed", "warning", {
    message = reason,
    last_heartbeat = row.last_heartbeat and time.rfc3339(row.last_heartbeat) or nil,
  })) do statements[#statements + 1] = s end
  statements[#statements + 1] = cluster.bump "plugins"
  local ok, err = core.db:commit(statements)
  if not ok then return nil, err end
  core.shared:published()
  log.write("warn", "a plugin has fallen silent and is degraded", {
    plugin = row.id, reason = reason,
  })
  return true
end

---Degrades those that are silent for too long.
---@param core table parley.core
---@param lease parley.Lease
---@return integer|nil plugins that were degraded
---@return table|nil err
function M.once(core, lease)
  local now, seconds = time.now_ms(), core.config.heartbeat_timeout_seconds
  local rows, err = core.db:query(SILENT, now - math.floor(seconds * 1000), AT_ONCE)
  if not rows then return nil, err end
  local n = 0
  for _, row in ipairs(rows) do
    local since = row.status == "active" and row.last_heartbeat or row.updated_at
    local allowed = math.max(seconds, MISSED * (row.heartbeat_interval_sec or 0))
    if now - since > allowed * 1000 then
      local ok, problem = degrade(core, lease, row, allowed)
      if ok then n = n + 1 end
      if not ok and problem.code ~= "conflict" then return nil, problem end
    end
  end
  if n > 0 then registry.sync(core) end
  return n
end

---Watches while the lease is held.
---@param core table parley.core
---@param lease parley.Lease
function M.run(core, lease)
  while lease:held() do
    local _, err = M.once(core, lease)
    if err then
      log.write("error", "the heartbeats of plugins cannot be watched", { error = err.message })
    end
    lease:sleep(LOOK_S)
  end
end

return M
