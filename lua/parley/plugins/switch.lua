-- Disabling a plugin and enabling it again: what an operator and a trigger do alike.

local cluster = require "parley.cluster"
local registry = require "parley.plugins.registry"

local M = {}

local function refuse(message)
  return nil, { code = "conflict", message = message, retryable = false, op = "plugins" }
end

---@param generation parley.Generation
---@param id string
---@return parley.Plugin|nil plugin
---@return table|nil err
function M.find(generation, id)
  for _, plugin in ipairs(generation.plugins) do
    if plugin.name == id then return plugin end
  end
  return nil, { code = "plugin_not_found", message = "no plugin '" .. id:sub(1, 40) .. "'" }
end

-- What changes the state of a registered plugin, nothing when it is that already.
local function of_registered(core, plugin, wanted, reason)
  local row, err = registry.get(core.db, plugin.name)
  if not row then return nil, err or { code = "conflict", message = "the plugin is gone" } end
  local status = wanted(row.status)
  if status == row.status then return {}, status end
  return { registry.change_status(row, status, reason), cluster.bump "plugins" }, status
end

---What disables a plugin, for a transaction; then registry.sync takes it up in this worker.
---@param core {db: table, manager: table}
---@param plugin parley.Plugin of the current generation
---@param reason string
---@return table[]|nil statements
---@return string|table status it has then, or the error: the fallback cannot be disabled
function M.disable(core, plugin, reason)
  if plugin == core.manager.current.fallback then
    return refuse "it is the fallback plugin: nobody stands behind it"
  end
  if plugin.registered then
    return of_registered(core, plugin, function() return "disabled" end, reason)
  end
  return { registry.disable_bundle(plugin, reason), cluster.bump "plugins" }, "disabled"
end

---What enables a plugin, for a transaction; then registry.sync takes it up in this worker.
---@param core {db: table, manager: table}
---@param plugin parley.Plugin of the current generation
---@return table[]|nil statements
---@return string|table status it has then, or the error: the configuration disables it
function M.enable(core, plugin)
  if plugin.settings.enabled == false then
    return refuse(("the configuration disables it: plugins.%s.enabled"):format(plugin.name))
  end
  if plugin.registered then
    -- One that was disabled has to say anew that it is alive.
    return of_registered(core, plugin, function(status)
      return status == "disabled" and "registered" or status
    end)
  end
  core.manager:enable(plugin)
  return { registry.enable_bundle(plugin.name), cluster.bump "plugins" }, "active"
end

---What lets the plugins of folders be chosen again that triggers have disabled, or the watchdog
---(parley.plugins.blame): an operator who reloads has seen to them.
---@return table[] statements
function M.forgive()
  return {
    {
      "DELETE FROM plugins WHERE registered = 0 AND status = 'disabled' "
        .. "AND (reason LIKE 'trigger %' OR reason LIKE 'watchdog: %')",
    },
    cluster.bump "plugins",
  }
end

return M
