-- The table `plugins`: REST plugins that have registered, and what operators and triggers have said
-- of plugins in folders. The id of a plugin is its name, the same in paths, rows and events.
--
-- Every worker has what stands here in its current generation. A row that changes what a plugin is
-- makes it build the next one; a row that changes a plugin's state alone is taken up where it is.

local audit = require "parley.store.audit"
local deployments = require "parley.deployments.rows"
local json = require "host.json"
local log = require "parley.ops.log"
local registered = require "parley.plugins.registered"
local time = require "host.time"
local versions = require "parley.plugins.versions"

local M = {}

---@class parley.PluginRow
---@field id string
---@field name string
---@field version string
---@field status "registered"|"active"|"degraded"|"disabled"
---@field reason string|nil why it is degraded or disabled
---@field registered boolean false: of a plugin in a folder that is disabled
---@field manifest string JSON, as it was registered
---@field manifest_hash string
---@field heartbeat_interval_sec integer|nil
---@field last_heartbeat integer|nil milliseconds
---@field manifest_checked_at integer|nil milliseconds
---@field token_id string|nil of its own token
---@field secret_version integer
---@field secret_since integer|nil milliseconds
---@field secret_mark string|nil of the master key that has made the secret

local function decode(row)
  row.registered = row.registered == 1
  return row
end

---@param db table
---@return parley.PluginRow[]|nil rows in the order of their names
---@return table|nil err
function M.rows(db)
  local rows, err = db:query "SELECT * FROM plugins ORDER BY name LIMIT 10000"
  if not rows then return nil, err end
  for _, row in ipairs(rows) do decode(row) end
  return rows
end

---@param db table
---@param id string
---@return parley.PluginRow|nil row nil without an error when there is none
---@return table|nil err
function M.get(db, id)
  local row, err = db:first("SELECT * FROM plugins WHERE id = $1", id)
  return row and decode(row), err
end

-- statements --------------------------------------------------------------------------------------

---The row of a plugin that registers for the first time; "unique" when another was quicker.
---@param m table its manifest, checked
---@param source string the manifest as JSON
---@param hash string of the manifest
---@param token_id string
---@param mark string parley.plugins.secrets.mark
---@return table statement
function M.insert(m, source, hash, token_id, mark)
  local now = time.now_ms()
  return {
    "INSERT INTO plugins (id, name, version, transport, status, manifest, manifest_hash, "
      .. "heartbeat_interval_sec, supported_schema_versions, registered, token_id, secret_since, "
      .. "manifest_checked_at, created_at, updated_at, secret_mark) VALUES ($1, $1, $2, 'rest', "
      .. "'registered', $3, $4, $5, $6, 1, $7, $8, $8, $8, $8, $9)",
    m.name, m.version, source, hash, m.heartbeat_interval_sec,
    json.encode(json.array(m.supported_schema_versions or { m.schema })), token_id, now,
    mark,
  }
end

---Another manifest for a registered plugin; "conflict" when it was changed meanwhile.
---@param row parley.PluginRow as it was read
---@param m table the new manifest, checked
---@param source string the manifest as JSON
---@param hash string of the manifest
---@return table statement
function M.change_manifest(row, m, source, hash)
  return {
    "UPDATE plugins SET version = $3, manifest = $4, manifest_hash = $5, "
      .. "heartbeat_interval_sec = $6, supported_schema_versions = $7, updated_at = $8, "
      .. "manifest_checked_at = $8 "
      .. "WHERE id = $1 AND manifest_hash = $2 AND registered = 1",
    row.id, row.manifest_hash, m.version, source, hash, m.heartbeat_interval_sec,
    json.encode(json.array(m.supported_schema_versions or { m.schema })), time.now_ms(),
    expect = 1,
  }
end

---Another token and signing secret for a registered plugin; "conflict" when it has got others
---meanwhile.
---@param row parley.PluginRow as it was read
---@param token_id string
---@param mark string parley.plugins.secrets.mark
---@return table statement
function M.renew_credentials(row, token_id, mark)
  return {
    "UPDATE plugins SET token_id = $3, secret_version = secret_version + 1, secret_since = $4, "
      .. "updated_at = $4, secret_mark = $5 WHERE id = $1 AND secret_version = $2",
    row.id, row.secret_version, token_id, time.now_ms(), mark, expect = 1,
  }
end

---The state of a registered plugin; "conflict" when it is in another one than `row` says.
---@param row parley.PluginRow as it was read
---@param status string
---@param reason string|nil
---@return table statement
function M.change_status(row, status, reason)
  return {
    "UPDATE plugins SET status = $3, reason = $4, updated_at = $5 WHERE id = $1 AND status = $2",
    row.id, row.status, status, reason or json.null, time.now_ms(), n = 5, expect = 1,
  }
end

---Disables a plugin of a folder, or says anew why.
---@param plugin parley.Plugin of the current generation
---@param reason string
---@return table statement
function M.disable_bundle(plugin, reason)
  return {
    "INSERT INTO plugins (id, name, version, transport, status, manifest, manifest_hash, "
      .. "registered, reason, created_at, updated_at) VALUES ($1, $1, $2, $3, 'disabled', '{}', "
      .. "$4, 0, $5, $6, $6) ON CONFLICT (id) DO UPDATE SET reason = $5, updated_at = $6",
    plugin.name, plugin.manifest.version, plugin.manifest.transport, plugin.hash, reason,
    time.now_ms(),
  }
end

---@param id string of a plugin in a folder
---@return table statement
function M.enable_bundle(id)
  return { "DELETE FROM plugins WHERE id = $1 AND registered = 0", id }
end

---A fact about a plugin, for the transaction of the fact: an audit row, an event of the plugin, and
---one for readers outside. Call shared:published() after the commit.
---@param shared table parley.shared
---@param id string
---@param action string like plugin_registered
---@param severity string
---@param details table
---@return table[] statements
function M.fact(shared, id, action, severity, details)
  local row, published = shared:fact {
    source = id, action = action, severity = severity, details = details,
  }
  return {
    row,
    audit.plugin_event {
      plugin = id, type = action, severity = severity, payload = details,
      occurred_at = time.now_ms(),
    },
    published,
  }
end

-- the copy of this worker -------------------------------------------------------------------------

---What a generation needs to know beside the configuration and the folders.
---@param db table
---@return parley.Given|nil given
---@return table|nil err
function M.given(db)
  local rows, err = M.rows(db)
  if not rows then return nil, err end
  local pins, running
  pins, err = versions.pins(db)
  if pins then running, err = deployments.running(db) end
  return running and { rows = rows, pins = pins, deployments = running }, err
end

local function same_pins(a, b)
  for name, pin in pairs(a) do
    if not b[name] or b[name].hash ~= pin.hash then return false end
  end
  for name in pairs(b) do
    if not a[name] then return false end
  end
  return true
end

-- Whether the generation has exactly the plugins that the database says, as they are now.
---@param given parley.Given
local function is_current(generation, given)
  if not same_pins(generation.pins, given.pins) then return false end
  if generation.trials_mark ~= deployments.mark(given.deployments) then return false end
  local has = {}
  for _, p in ipairs(generation.plugins) do
    if p.registered then has[p.name] = p.hash .. "/" .. p.secret_version end
  end
  for name, p in pairs(generation.refused) do has[name] = p.hash .. "/" .. p.secret_version end
  for _, row in ipairs(given.rows) do
    if row.registered then
      if has[row.name] ~= row.manifest_hash .. "/" .. row.secret_version then return false end
      has[row.name] = nil
    end
  end
  return next(has) == nil
end

---Takes up the states of all plugins in the current generation.
---@param manager table
---@param rows parley.PluginRow[]
local function mark(manager, rows)
  local by_name = {}
  for _, row in ipairs(rows) do by_name[row.name] = row end
  for _, p in ipairs(manager.current.plugins) do registered.mark(p, by_name[p.name]) end
end

---Takes up what the database says, in this worker: registered plugins, states, pins. Folders,
---rules and settings stay as they serve: what somebody is just writing there is for a reload.
---A generation that cannot be built is logged, and core.behind says why until one is: what served
---before goes on, and the next attempt reads everything again.
---@param core {db: table, manager: table, config: table}
---@return boolean|nil ok
---@return table|nil err
function M.sync(core)
  local given
  local ok, err = core.manager:settle()
  if ok then given, err = M.given(core.db) end
  if not given then return nil, err end
  if not core.manager.current then return true end -- the first generation reads them itself
  if is_current(core.manager.current, given) then
    mark(core.manager, given.rows)
    core.behind = nil
    return true
  end
  local generation
  generation, err = core.manager:reload(core.config, { keep = true })
  if generation then return true end
  core.behind = err.message
  log.write("error", "what is now to serve could not be taken up",
    { code = err.code, error = err.message })
  return nil, err
end

return M
