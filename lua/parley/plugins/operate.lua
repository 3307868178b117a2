-- What an operator does with plugins, over HTTP and by the command line alike: disable, enable, go
-- back to an earlier bundle. Each is one transaction with its audit row; then every worker of every
-- instance follows.

local audit = require "parley.store.audit"
local bundles = require "parley.plugins.bundles"
local cluster = require "parley.cluster"
local registry = require "parley.plugins.registry"
local switch = require "parley.plugins.switch"
local versions = require "parley.plugins.versions"

local M = {}

---@class parley.Order
---@field by string source of the audit row, like token:ID
---@field reason? string
---@field to? string the beginning of a bundle's hash
---@field more? fun(result: table): table|nil a statement for the same transaction

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "plugins" }
end

-- The statements with what the caller has of its own for their transaction.
local function complete(statements, order, result)
  statements[#statements + 1] = order.more and order.more(result) or nil
  return statements
end

-- disable and enable ------------------------------------------------------------------------------

local function change(core, plugin, order, statements, status)
  if not statements then return nil, status end
  local disabled = status == "disabled"
  local result = {
    plugin_id = plugin.name, status = status, reason = disabled and order.reason or nil,
  }
  statements[#statements + 1] = audit.insert {
    source = order.by, action = disabled and "plugin_disabled" or "plugin_enabled",
    severity = disabled and "warning" or "info",
    details = { plugin_id = plugin.name, reason = order.reason },
  }
  local ok, err = core.db:commit(complete(statements, order, result))
  if ok then ok, err = registry.sync(core) end
  if not ok then return nil, err end
  return result
end

---Keeps a plugin from being chosen, until somebody enables it.
---@param core table parley.core
---@param id string
---@param order parley.Order
---@return {plugin_id: string, status: string, reason: string|nil}|nil result
---@return table|nil err
function M.disable(core, id, order)
  local plugin, err = switch.find(core.manager.current, id)
  if not plugin then return nil, err end
  order.reason = order.reason or "an operator has disabled it"
  return change(core, plugin, order, switch.disable(core, plugin, order.reason))
end

---@param core table parley.core
---@param id string
---@param order parley.Order
---@return {plugin_id: string, status: string}|nil result
---@return table|nil err
function M.enable(core, id, order)
  local plugin, err = switch.find(core.manager.current, id)
  if not plugin then return nil, err end
  return change(core, plugin, order, switch.enable(core, plugin))
end

-- going back --------------------------------------------------------------------------------------

local function in_folder(core, id)
  local plugin, err = switch.find(core.manager.current, id)
  if not plugin then return nil, err end
  if plugin.registered then
    return refuse("conflict", "'%s' has registered itself: its manifest is all that is here of it",
      id)
  end
  return plugin
end

-- What an operator may go back from.
local function decided(core, id)
  local plugin, err = in_folder(core, id)
  if plugin and plugin.canary then
    return refuse("conflict", "version %s of '%s' is on trial: promote it or abort it first",
      plugin.canary.row.canary_version, id)
  end
  return plugin, err
end

---What has served of a plugin, newest first, and what serves now.
---@param core table parley.core
---@param id string
---@return {plugin_id: string, bundles: {hash: string, version: string, served_at: integer,
---  origin: string|nil, serves: boolean, pinned: boolean, here: boolean}[]}|nil result
---@return table|nil err
function M.bundles(core, id)
  local plugin, err = in_folder(core, id)
  if not plugin then return nil, err end
  core.served:record()
  local rows
  rows, err = versions.served(core.db, id)
  if not rows then return nil, err end
  local here, pin = {}, core.manager.current.pins[id]
  for _, entry in ipairs(bundles.list(core.config.home, id)) do here[entry.hash] = true end
  for _, row in ipairs(rows) do
    row.serves, row.here = row.hash == plugin.hash, here[row.hash] == true
    row.pinned = pin ~= nil and pin.hash == row.hash
  end
  return { plugin_id = id, bundles = rows }
end

-- The bundle whose hash begins so.
local function find_hash(id, list, prefix)
  local found
  for _, row in ipairs(list) do
    if row.hash:sub(1, #prefix) == prefix then
      if found then
        return refuse("conflict", "two bundles of '%s' begin with %s: give more of it", id, prefix)
      end
      found = row
    end
  end
  if found then return found end
  return refuse("conflict", "no bundle of '%s' that begins with '%s' has served", id, prefix)
end

-- The one that served before the one that serves now.
local function find_earlier(id, list)
  for i, row in ipairs(list) do
    if row.serves then
      if list[i + 1] then return list[i + 1] end
      return refuse("conflict", "nothing has served before bundle %s of '%s' (version %s)",
        row.hash:sub(1, 12), id, row.version)
    end
  end
  if list[1] then return list[1] end
  return refuse("conflict", "no bundle of '%s' has served before", id)
end

local function find(id, list, to)
  if to then return find_hash(id, list, to) end
  return find_earlier(id, list)
end

-- Puts a generation in service that differs in one pin, when it can be built, and makes that
-- durable for all workers.
---@param target {hash: string, origin: string|nil}|nil nil: the folder is followed
local function pin(core, id, target, statement, order)
  local from = core.manager.current.chooser.by_name[id].hash
  local result = { plugin_id = id, pinned = target ~= nil }
  local g, err = core.manager:reload(core.config, {
    keep = true,
    edit = function(given)
      given.pins[id] = target and { hash = target.hash, origin = target.origin } or nil
    end,
    commit = function(g)
      local plugin = g.chooser.by_name[id]
      if plugin and plugin.pin_problem then
        return refuse("conflict", "%s", plugin.pin_problem)
      end
      -- One that was deployed and lies in no folder goes with its pin.
      if plugin then result.hash, result.version = plugin.hash, plugin.manifest.version end
      local row = audit.insert {
        source = order.by, action = target and "plugin_rolled_back" or "plugin_unpinned",
        severity = "warning", details = {
          plugin_id = id, from = from, hash = result.hash, version = result.version,
          reason = order.reason,
        },
      }
      local all = { statement, cluster.bump "plugins", row }
      if target then all[#all + 1] = versions.take_back(id, from) end
      if result.hash then all[#all + 1] = versions.give_again(id, result.hash) end
      return core.db:commit(complete(all, order, result))
    end,
  })
  if g then return result end
  if err.code == "plugin" or err.code == "config" or err.code == "rules" then
    err.code = "reload_refused"
  end
  return nil, err
end

---Goes back to the bundle that served before the one that serves now, or to `order.to`. It stays
---so, in every worker of every instance and whatever the folders say, until M.follow.
---@param core table parley.core
---@param id string
---@param order parley.Order
---@return {plugin_id: string, hash: string, version: string, pinned: boolean}|nil result
---@return table|nil err "conflict": there is no such bundle; "reload_refused": it does not fit
function M.rollback(core, id, order)
  local history
  local ok, err = decided(core, id)
  if ok then history, err = M.bundles(core, id) end
  if not history then return nil, err end
  local target
  target, err = find(id, history.bundles, order.to)
  if not target then return nil, err end
  local statement = versions.pin(id, target.hash, order.by, order.reason)
  return pin(core, id, target, statement, order)
end

---Undoes rollback: what the folder says is built, and serves.
---@param core table parley.core
---@param id string
---@param order parley.Order
---@return {plugin_id: string, hash: string, version: string, pinned: boolean}|nil result
---@return table|nil err "conflict": it was not rolled back; "reload_refused": the folder is broken
function M.follow(core, id, order)
  local plugin, err = decided(core, id)
  if not plugin then return nil, err end
  if not core.manager.current.pins[id] then
    return refuse("conflict", "'%s' was not rolled back", id)
  end
  return pin(core, id, nil, versions.unpin(id), order)
end

return M
