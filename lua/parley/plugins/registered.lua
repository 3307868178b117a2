-- From a row of `plugins` to a plugin of a generation: the REST plugins that have registered
-- themselves, beside those that lie in folders.

local choose = require "parley.plugins.choose"
local circuit = require "parley.plugins.circuit"
local manifest = require "parley.plugins.manifest"
local rest_driver = require "parley.plugins.rest_driver"
local secrets = require "parley.plugins.secrets"
local settings = require "parley.plugins.settings"
local time = require "host.time"

local M = {}

local OVERLAP_MS = 24 * 3600 * 1000 -- calls are signed with the secret before, too

---@class parley.RegisteredPlugin: parley.Plugin
---@field registered true
---@field secret_version integer

---Until when what a plugin had before is good beside what it gets now.
---@return integer milliseconds
function M.overlap_until() return time.now_ms() + OVERLAP_MS end

---Whether a plugin may be at an address in a private network: by its own settings, or for all.
---@param config table parley.config
---@param name string
---@return boolean
function M.allows_private(config, name)
  local own = (config.plugins[name] or {}).allow_private
  if own == nil then return config.allow_private_plugins end
  return own
end

-- The secret now, and for a while the one before.
local function signing(row, master)
  local out = { signing_secret = secrets.signing(master, row.id, row.secret_version) }
  if row.secret_version > 1 and row.secret_since then
    out.old_signing_secret = secrets.signing(master, row.id, row.secret_version - 1)
    out.old_until_ms = row.secret_since + OVERLAP_MS
  end
  return out
end

---@param row table of plugins, registered
---@param config table parley.config
---@param master string parley.plugins.secrets.master
---@return parley.RegisteredPlugin|nil plugin its driver is to be closed
---@return {code: string, message: string}|nil err
function M.load(row, config, master)
  local name = row.name
  local m, hash = manifest.check(row.manifest, { file = name })
  if not m then return nil, { code = "plugin", message = manifest.describe(hash) } end
  local ours, own = settings.apply(m, config.plugins[name])
  if not ours then return nil, own end
  if ours.signing_secret ~= nil then
    return nil, {
      code = "config", message = ("plugins.%s.signing_secret: a plugin that registers has the "
        .. "secret of its registration"):format(name),
    }
  end
  if row.secret_mark and row.secret_mark ~= secrets.mark(master) then
    return nil, {
      code = "config", message = "its signing secret was made with another secret_key: set the one "
        .. "that the other hosts have, or let the plugin register with \"rotate\": true",
    }
  end
  local how = signing(row, master)
  how.allow_private = M.allows_private(config, name)
  local driver, err = rest_driver.new(m, how)
  if not driver then return nil, err end
  local off = ours.enabled == false
  return {
    name = name, file = name, manifest = m, hash = row.manifest_hash, driver = driver,
    circuit = circuit.new(name), config = own, settings = ours, off = off, registered = true,
    secret_version = row.secret_version, state = off and "disabled" or row.status,
    reason = off and "the configuration says so" or row.reason,
  }
end

---Loads a row and puts it among plugins, when it fits there.
---@param plugins parley.Plugin[]
---@param row table of plugins, registered
---@param config table parley.config
---@param master string
---@return parley.RegisteredPlugin|nil plugin
---@return {code: string, message: string, problems: parley.Problem[]|nil}|nil err
function M.add(plugins, row, config, master)
  local plugin, err = M.load(row, config, master)
  if not plugin then return nil, err end
  plugins[#plugins + 1] = plugin
  local problems, compiled = manifest.check_together(plugins)
  if #problems == 0 then compiled, err = choose.compile(plugins) end
  if compiled then return plugin end
  plugins[#plugins] = nil
  plugin.driver:close()
  if err then return nil, err end
  return nil, {
    code = "plugin", message = manifest.describe(problems), problems = problems,
  }
end

---Whether a plugin of a folder may be chosen, by its row or by having none.
---@param plugin parley.Plugin
---@param row table|nil of plugins
function M.mark(plugin, row)
  if plugin.off then return end -- the configuration, or what has hung the host, comes first
  if row and (plugin.registered or row.status == "disabled") then
    plugin.state, plugin.reason = row.status, row.reason
  elseif not plugin.registered and plugin.state == "disabled" then
    plugin.state, plugin.reason = "active", nil
  end
end

return M
