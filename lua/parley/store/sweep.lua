-- Takes away what has had its time: results kept for repetitions, expired values of plugins.

local expired = require "parley.turn.expired"
local time = require "host.time"

local M = {}

local KEPT_MS = 24 * 3600 * 1000
local EVERY_S = 600
local BATCH = 500

-- What to find, by a reader, in the order of the primary key and after what was found before, and
-- how to delete one of them: the writer is never held long.
local RULES = {
  {
    key = { "scope", "key" }, before = KEPT_MS,
    find = "SELECT scope, key FROM idempotency WHERE created_at < $1 "
      .. "AND (scope, key) > ($3, $4) ORDER BY scope, key LIMIT $2",
    delete = "DELETE FROM idempotency WHERE scope = $1 AND key = $2",
  },
  {
    key = { "source", "key" }, before = KEPT_MS,
    find = "SELECT source, key FROM inbox WHERE state = 'done' AND received_at < $1 "
      .. "AND (source, key) > ($3, $4) ORDER BY source, key LIMIT $2",
    delete = "DELETE FROM inbox WHERE source = $1 AND key = $2 AND state = 'done'",
  },
  {
    key = { "token_hash" }, before = KEPT_MS,
    find = "SELECT token_hash FROM continuations WHERE expires_at < $1 AND token_hash > $3 "
      .. "ORDER BY token_hash LIMIT $2",
    delete = "DELETE FROM continuations WHERE token_hash = $1",
  },
  {
    key = { "id" }, before = 7 * KEPT_MS,
    find = "SELECT id FROM outbox WHERE done_at < $1 AND id > $3 ORDER BY id LIMIT $2",
    delete = "DELETE FROM outbox WHERE id = $1",
  },
  -- What a turn has decided while its bot was being removed.
  {
    key = { "id" }, before = KEPT_MS,
    find = "SELECT id FROM outbox WHERE state = 'open' AND created_at < $1 AND id > $3 "
      .. "AND sender LIKE 'tg:%' AND sender <> 'tg:main' AND NOT EXISTS "
      .. "(SELECT 1 FROM bots WHERE 'tg:' || bots.name = outbox.sender) ORDER BY id LIMIT $2",
    delete = "DELETE FROM outbox WHERE id = $1 AND state = 'open'",
  },
  {
    key = { "id" }, before = 90 * KEPT_MS,
    find = "SELECT id FROM callbacks WHERE created_at < $1 AND id > $3 ORDER BY id LIMIT $2",
    delete = "DELETE FROM callbacks WHERE id = $1",
  },
  {
    key = { "id" }, before = 0,
    find = "SELECT id FROM blobs WHERE expires_at < $1 AND id > $3 ORDER BY id LIMIT $2",
    delete = "DELETE FROM blobs WHERE id = $1",
  },
  {
    key = { "sender", "hash", "kind" }, before = 90 * KEPT_MS,
    find = "SELECT sender, hash, kind FROM blob_files WHERE created_at < $1 "
      .. "AND (sender, hash, kind) > ($3, $4, $5) ORDER BY sender, hash, kind LIMIT $2",
    delete = "DELETE FROM blob_files WHERE sender = $1 AND hash = $2 AND kind = $3",
  },
  {
    key = { "plugin", "scope", "key" }, before = 0,
    find = "SELECT plugin, scope, key FROM kv WHERE expires_at < $1 "
      .. "AND (plugin, scope, key) > ($3, $4, $5) ORDER BY plugin, scope, key LIMIT $2",
    delete = "DELETE FROM kv WHERE plugin = $1 AND scope = $2 AND key = $3",
  },
  {
    key = { "plugin", "user_id" }, before = 0,
    find = "SELECT plugin, user_id FROM sessions WHERE expires_at < $1 "
      .. "AND (plugin, user_id) > ($3, $4) ORDER BY plugin, user_id LIMIT $2",
    delete = "DELETE FROM sessions WHERE plugin = $1 AND user_id = $2",
  },
  -- No window is longer than a day. One that has begun since it was found stays.
  {
    key = { "key" }, same = { "window_start" }, before = KEPT_MS,
    find = "SELECT key, window_start FROM rates WHERE window_start < $1 AND key > $3 "
      .. "ORDER BY key LIMIT $2",
    delete = "DELETE FROM rates WHERE key = $1 AND window_start = $2",
  },
  {
    key = { "key" }, same = { "expires_at" }, before = 0,
    find = "SELECT key, expires_at FROM keys WHERE expires_at < $1 AND key > $3 "
      .. "ORDER BY key LIMIT $2",
    delete = "DELETE FROM keys WHERE key = $1 AND expires_at = $2",
  },
}

local function delete(db, rule, rows)
  local statements = {}
  for i, row in ipairs(rows) do
    local statement = { rule.delete }
    for _, column in ipairs(rule.key) do statement[#statement + 1] = row[column] end
    for _, column in ipairs(rule.same or {}) do statement[#statement + 1] = row[column] end
    statements[i] = statement
  end
  return db:commit(statements)
end

local function sweep(db, rule)
  local total, after = 0, {}
  for i in ipairs(rule.key) do after[i] = "" end
  while true do
    local rows, err = db:query(rule.find, time.now_ms() - rule.before, BATCH, unpack(after))
    if not rows then return nil, err end
    if #rows > 0 then
      local ok
      ok, err = delete(db, rule, rows)
      if not ok then return nil, err end
    end
    total = total + #rows
    if #rows < BATCH then return total end
    for i, column in ipairs(rule.key) do after[i] = rows[#rows][column] end
  end
end

---Sweeps once.
---@param db table
---@return integer|nil rows that went
---@return table|nil err
function M.once(db)
  local total = 0
  for _, rule in ipairs(RULES) do
    local n, err = sweep(db, rule)
    if not n then return nil, err end
    total = total + n
  end
  local n, err = expired.sweep(db)
  if not n then return nil, err end
  return total + n
end

---Sweeps now and then while this worker is the one that does.
---@param db table
---@param log function
---@param lease parley.Lease
function M.run(db, log, lease)
  lease:sleep(EVERY_S)
  while lease:held() do
    local n, err = M.once(db)
    if not n then
      log("warn", "what is expired could not be swept", { code = err.code, error = err.message })
    elseif n > 0 then
      log("debug", "swept", { rows = n })
    end
    lease:sleep(EVERY_S)
  end
end

return M
