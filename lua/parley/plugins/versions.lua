-- The tables `plugin_bundles` and `plugin_pins`: what has served of each plugin in a folder, and
-- what an operator has gone back to. What the bundles say is in the store (parley.plugins.bundles);
-- this is the same for all instances.

local json = require "host.json"
local time = require "host.time"

local M = {}

local ROWS_KEPT = 100 -- of a plugin: more than any store keeps

---@class parley.Pin
---@field hash string that is to serve
---@field pinned_at integer milliseconds
---@field pinned_by string source of the audit row
---@field reason string|nil
---@field origin "shipped"|"home"|"bundle"|nil of what is pinned; nil: the folder of the plugin

---@param db table
---@return table<string, parley.Pin>|nil pins by plugin
---@return table|nil err
function M.pins(db)
  local rows, err = db:query("SELECT p.*, b.origin FROM plugin_pins p LEFT JOIN plugin_bundles b "
    .. "ON b.plugin = p.plugin AND b.hash = p.hash ORDER BY p.plugin LIMIT 10000")
  if not rows then return nil, err end
  local out = {}
  for _, row in ipairs(rows) do out[row.plugin] = row end
  return out
end

---@param db table
---@param plugin string
---@return {hash: string, version: string, served_at: integer, origin: string|nil}[]|nil rows newest
---  first
---@return table|nil err
function M.served(db, plugin)
  return db:query("SELECT hash, version, served_at, origin FROM plugin_bundles WHERE plugin = $1 "
    .. "ORDER BY served_at DESC, hash LIMIT $2", plugin, ROWS_KEPT)
end

---@param db table
---@param plugin string
---@param hash string
---@return {version: string, origin: string|nil, taken_back_at: integer|nil}|nil row nil without an
---  error when it has not served
---@return table|nil err
function M.of_bundle(db, plugin, hash)
  return db:first("SELECT version, origin, taken_back_at FROM plugin_bundles "
    .. "WHERE plugin = $1 AND hash = $2", plugin, hash)
end

---Nothing goes on with a version from now on, conversations neither.
---@param plugin string
---@param hash string, or its beginning
---@return table statement
function M.take_back(plugin, hash)
  return {
    "UPDATE plugin_bundles SET taken_back_at = $3 WHERE plugin = $1 "
      .. "AND substr(hash, 1, $4) = $2", plugin, hash, time.now_ms(), #hash,
  }
end

---It serves again.
---@param plugin string
---@param hash string
---@return table statement
function M.give_again(plugin, hash)
  return {
    "UPDATE plugin_bundles SET taken_back_at = NULL WHERE plugin = $1 AND hash = $2 "
      .. "AND taken_back_at IS NOT NULL", plugin, hash,
  }
end

---@param plugin string
---@param hash string
---@param by string source of the audit row
---@param reason string|nil
---@return table statement
function M.pin(plugin, hash, by, reason)
  return {
    "INSERT INTO plugin_pins (plugin, hash, pinned_at, pinned_by, reason) "
      .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (plugin) DO UPDATE SET hash = $2, "
      .. "pinned_at = $3, pinned_by = $4, reason = $5",
    plugin, hash, time.now_ms(), by, reason or json.null, n = 5,
  }
end

---@param plugin string
---@return table statement
function M.unpin(plugin) return { "DELETE FROM plugin_pins WHERE plugin = $1", plugin } end

-- A host that starts again, or the second worker, brings nothing new into service: the time of the
-- newest row stays.
local SERVES = "INSERT INTO plugin_bundles (plugin, hash, version, served_at, origin) "
  .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (plugin, hash) DO UPDATE SET served_at = $4 "
  .. "WHERE plugin_bundles.served_at < "
  .. "(SELECT max(b.served_at) FROM plugin_bundles b WHERE b.plugin = $1)"

local FORGET = "DELETE FROM plugin_bundles WHERE plugin = $1 AND hash NOT IN "
  .. "(SELECT hash FROM plugin_bundles WHERE plugin = $1 ORDER BY served_at DESC, hash LIMIT $2) "
  .. "AND hash NOT IN (SELECT hash FROM plugin_pins WHERE plugin = $1)"

---What notes that a bundle has come into service, out of its folder or by a deployment.
---@param out table[] statements
---@param plugin {name: string, hash: string, manifest: table, origin: string|nil}
---@param at integer|nil milliseconds; default: now
function M.note(out, plugin, at)
  out[#out + 1] = {
    SERVES, plugin.name, plugin.hash, plugin.manifest.version, at or time.now_ms(),
    plugin.origin or json.null,
  }
  out[#out + 1] = { FORGET, plugin.name, ROWS_KEPT }
end

return M
