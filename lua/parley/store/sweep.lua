-- Takes away what has had its time: results kept for repetitions, expired values of plugins.

local task = require "host.task"
local time = require "host.time"

local M = {}

local KEPT_MS = 24 * 3600 * 1000
local EVERY_S = 600
local BATCH = 500

-- What to find, by a reader, in the order of the primary key and after what was found before, and
-- how to delete one of them: the writer is never held long.
local RULES = {
  {
    find = "SELECT '' AS plugin, scope, key FROM idempotency WHERE created_at < $1 "
      .. "AND (scope, key) > ($4, $5) ORDER BY scope, key LIMIT $2", before = KEPT_MS,
    delete = "DELETE FROM idempotency WHERE scope = $1 AND key = $2",
  },
  {
    find = "SELECT '' AS plugin, source AS scope, key FROM inbox WHERE state = 'done' "
      .. "AND received_at < $1 AND (source, key) > ($4, $5) ORDER BY source, key LIMIT $2",
    before = KEPT_MS,
    delete = "DELETE FROM inbox WHERE source = $1 AND key = $2 AND state = 'done'",
  },
  {
    find = "SELECT plugin, scope, key FROM kv WHERE expires_at < $1 "
      .. "AND (plugin, scope, key) > ($3, $4, $5) ORDER BY plugin, scope, key LIMIT $2", before = 0,
    delete = "DELETE FROM kv WHERE plugin = $3 AND scope = $1 AND key = $2",
  },
}

---Sweeps once.
---@param db table
---@return integer|nil rows that went
---@return table|nil err
function M.once(db)
  local total = 0
  for _, rule in ipairs(RULES) do
    local rows, err
    local last = { plugin = "", scope = "", key = "" }
    repeat
      rows, err = db:query(rule.find, time.now_ms() - rule.before, BATCH, last.plugin, last.scope,
        last.key)
      if not rows then return nil, err end
      local statements = {}
      for i, row in ipairs(rows) do
        statements[i] = { rule.delete, row.scope, row.key, row.plugin }
      end
      if #rows > 0 then
        local ok
        ok, err = db:commit(statements)
        if not ok then return nil, err end
      end
      total, last = total + #rows, rows[#rows] or last
    until #rows < BATCH
  end
  return total
end

---Sweeps now and then until the task is cancelled.
---@param db table
---@param log function
function M.run(db, log)
  while true do
    task.sleep(EVERY_S)
    local n, err = M.once(db)
    if not n then
      log("warn", "what is expired could not be swept", { code = err.code, error = err.message })
    elseif n > 0 then
      log("debug", "swept", { rows = n })
    end
  end
end

return M
