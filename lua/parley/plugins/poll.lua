-- What registered plugins are may change without a word: each is asked for GET {endpoint}/manifest
-- now and then, and when its heartbeat names another version. One worker of all asks.
--
-- A manifest with another hash is taken like a registration: checked, stored, in service. One that
-- cannot be had, or does not fit, changes nothing; that is said once, until it goes well again.

local answer = require "parley.plugins.answer"
local audit = require "parley.store.audit"
local crypto = require "host.crypto"
local http = require "host.http_client"
local json = require "host.json"
local log = require "parley.ops.log"
local manifest = require "parley.plugins.manifest"
local register = require "parley.plugins.register"
local registered = require "parley.plugins.registered"
local task = require "host.task"
local time = require "host.time"

local M = {}

local LOOK_S = 0.5
local AT_ONCE = 16
local SECONDS = 5
local MAX_BYTES = 256 * 1024

local DUE = "SELECT * FROM plugins WHERE registered = 1 AND status <> 'disabled' "
  .. "AND (manifest_checked_at IS NULL OR manifest_checked_at <= $1) ORDER BY name LIMIT $2"

local function checked(row)
  return {
    "UPDATE plugins SET manifest_checked_at = $2 WHERE id = $1", row.id, time.now_ms(),
  }
end

-- The manifest that a plugin shows now.
---@return table|nil document
---@return string result its hash, or what is wrong
local function fetch(core, row)
  local known, problem = manifest.check(row.manifest)
  if not known then return nil, manifest.describe(problem) end
  local r, err = http.request {
    url = known.endpoint:gsub("/+$", "") .. "/manifest", timeout = SECONDS,
    max_body = MAX_BYTES, allow_private = registered.allows_private(core.config, row.name),
    headers = { Accept = "application/json" },
  }
  if not r then return nil, err.message end
  if r.status ~= 200 then return nil, ("status %d: %s"):format(r.status, answer.quote(r.body)) end
  problem = answer.type_problem(r)
  if problem then return nil, problem end
  local shown, hash = manifest.check(r.body, { file = "manifest" })
  if not shown then return nil, manifest.describe(hash) end
  if shown.name ~= row.name then
    return nil, ("it is the manifest of '%s'"):format(shown.name)
  end
  return json.decode(r.body), hash
end

-- Takes another manifest in the place of the one that is stored.
local function take(core, lease, row, document)
  return register.run(core, document, {
    by = "poll", more = function() return { lease:guard(), checked(row) } end,
  })
end

local function note_failure(core, lease, row, problem, failing)
  local statements = { lease:guard(), checked(row) }
  if not failing[row.id] then
    log.write("warn", "the manifest of a plugin cannot be taken", {
      plugin = row.id, error = problem,
    })
    statements[3] = audit.insert {
      source = row.id, action = "plugin_manifest_failed", severity = "warning",
      details = { message = problem },
    }
  end
  failing[row.id] = true
  return core.db:commit(statements)
end

local function poll(core, lease, row, failing)
  task.trace(crypto.trace_id())
  local document, result = fetch(core, row)
  local ok, err
  if document and result == row.manifest_hash then
    ok, err = core.db:commit { lease:guard(), checked(row) }
  elseif document then
    ok, err = take(core, lease, row, document)
  end
  if ok then
    failing[row.id] = nil
    return
  end
  if document and (err.retryable or err.code == "conflict") then return end -- soon again
  note_failure(core, lease, row, document and err.message or result, failing)
end

---Asks those that are due.
---@param core table parley.core
---@param lease parley.Lease
---@param failing table<string, true> of which plugins it was said that they fail; the caller's
---@return integer|nil plugins that were asked
---@return table|nil err
function M.once(core, lease, failing)
  local before = time.now_ms() - math.floor(core.config.manifest_poll_seconds * 1000)
  local rows, err = core.db:query(DUE, before, AT_ONCE)
  if not rows then return nil, err end
  local tasks = {}
  for i, row in ipairs(rows) do tasks[i] = task.spawn(poll, core, lease, row, failing) end
  for _, t in ipairs(tasks) do t:join() end
  return #rows
end

---Asks while the lease is held.
---@param core table parley.core
---@param lease parley.Lease
function M.run(core, lease)
  local failing = {}
  while lease:held() do
    local n, err = M.once(core, lease, failing)
    if err then
      log.write("error", "plugins cannot be asked for their manifests", { error = err.message })
    end
    if n ~= AT_ONCE then lease:sleep(LOOK_S) end
  end
end

return M
