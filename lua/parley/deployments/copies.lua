-- Bundles that were deployed, and those that served before, in the database: an instance that does
-- not have one in its store takes it from there.

local bundle = require "parley.plugins.bundle"
local bundles = require "parley.plugins.bundles"
local crypto = require "host.crypto"
local folder = require "host.folder"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@type integer bytes of all files of a bundle together
M.MAX_BYTES = 4 * 1024 * 1024

local function fail(fmt, ...)
  return nil, { code = "bundle", message = fmt:format(...), retryable = false, op = "deployments" }
end

---A statement that keeps a copy.
---@param b parley.Bundle
---@return table|nil statement
---@return table|nil err it is too large
function M.keep(b)
  local bytes = 0
  for _, text in pairs(b.sources) do bytes = bytes + #text end
  if bytes > M.MAX_BYTES then
    return fail("%s: its files have %d bytes, at most %d can be deployed", b.dir, bytes,
      M.MAX_BYTES)
  end
  return {
    "INSERT INTO bundles (plugin, hash, version, sources, created_at) VALUES ($1, $2, $3, $4, $5) "
      .. "ON CONFLICT (plugin, hash) DO NOTHING",
    b.manifest.name, b.hash, b.manifest.version, json.encode(b.sources), time.now_ms(),
  }
end

---What takes away the copies that the last deployments of a plugin do not name.
---@param plugin string
---@param number integer of the oldest deployment whose bundles are kept
---@return table statement
function M.forget(plugin, number)
  return {
    "DELETE FROM bundles WHERE plugin = $1 AND hash NOT IN (SELECT canary FROM deployments "
      .. "WHERE plugin = $1 AND number >= $2 UNION SELECT stable FROM deployments "
      .. "WHERE plugin = $1 AND number >= $2 AND stable IS NOT NULL "
      .. "UNION SELECT hash FROM plugin_pins WHERE plugin = $1)",
    plugin, number,
  }
end

-- Brings a bundle that is not in the store of this instance from the database.
local function bring(core, plugin, hash)
  local row, err =
    core.db:first("SELECT sources FROM bundles WHERE plugin = $1 AND hash = $2", plugin, hash)
  if not row then return nil, err end
  return bundles.put(core.config.home, {
    manifest = { name = plugin }, hash = hash, sources = json.decode(row.sources),
  })
end

---The bundle of a hash: of this instance's store, or else from the database by way of it. It waits.
---@param core {db: table, config: table}
---@param plugin string
---@param hash string
---@return parley.Bundle|nil bundle
---@return table|nil err
function M.fetch(core, plugin, hash)
  local home = core.config.home
  local b, problem = bundles.read(home, plugin, hash)
  if b then return b end
  local ok, err = bring(core, plugin, hash)
  if not ok then return nil, err or problem end
  return bundles.read(home, plugin, hash)
end

-- What a bundle is made of; anything else would be lost without a word.
local function is_part(name)
  return name == "manifest.json" or name == "main.lua" or name:find "^lib/[%w_-]+%.lua$" ~= nil
    or name:find "^locales/[%w_-]+%.json$" ~= nil
end

---Files that have come over the network, as a bundle. It waits.
---@param home string
---@param plugin string the name that its manifest must have
---@param sources table<string, string> text by file name
---@return parley.Bundle|nil bundle `dir` is the name of the plugin: it lies nowhere
---@return table|nil err
function M.of_sources(home, plugin, sources)
  for name in pairs(sources) do
    if not is_part(name) then
      return fail("%s: a bundle has manifest.json, main.lua, lib/*.lua and locales/*.json",
        name:sub(1, 80))
    end
  end
  local dir = ("%s/data/incoming-%s"):format(home, crypto.uuid7())
  local ok, err = folder.write(dir, sources)
  local b
  if ok then b, err = bundle.read(dir, plugin) end
  folder.remove(dir)
  if b then
    b.dir = plugin
    return b
  end
  -- Nobody can look at the folder any more: its name stands for it.
  err.message = err.message:gsub(dir:gsub("%p", "%%%0"), (plugin:gsub("%%", "%%%%")))
  return nil, err
end

---What the engine calls the state of a new version on trial: a plugin that brings a worker down is
---known by this alone.
---@param plugin string
---@param hash string
---@return string label at most 47 bytes, as on the watchdog page
function M.label(plugin, hash) return plugin .. "@" .. hash:sub(1, 6) end

---@class parley.Trial
---@field row parley.Deployment that runs
---@field bundle parley.Bundle|nil of its new version
---@field problem string|nil why it cannot be had, or is not to be loaded
---@field critical "crash"|"hang"|nil what it has done to this worker before

---Brings to this instance what the next generation is to be built with. It waits.
---@param core {db: table, config: table, manager: table} spared: by label, what this worker is not
---  to load again
---@param given parley.Given its `trials` are made of `deployments`
function M.bring(core, given)
  local spared = core.manager.spared
  -- What cannot be had the generation says, when it comes to load it.
  for name, pin in pairs(given.pins) do
    if not bundles.has(core.config.home, name, pin.hash) then bring(core, name, pin.hash) end
  end
  given.trials = {}
  for i, row in ipairs(given.deployments) do
    local b, err = M.fetch(core, row.plugin, row.canary)
    local guilty = spared[M.label(row.plugin, row.canary)]
    given.trials[i] = {
      row = row, bundle = not guilty and b or nil, critical = guilty and guilty.critical,
      problem = guilty and guilty.message or not b and err.message or nil,
    }
  end
end

return M
