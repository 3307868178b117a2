-- The catalogue: the plugins of the generation that serves, for other plugins and for operators.

local json = require "host.json"
local registry = require "parley.plugins.registry"
local ring = require "parley.plugins.ring"
local time = require "host.time"

local M = {}

-- What a manifest says; a bundle's has its texts beside it, too.
local function manifest_of(plugin)
  local out = {}
  for key, value in pairs(plugin.manifest) do
    if key ~= "locales_data" then out[key] = value end
  end
  return out
end

local function entry(plugin, row)
  return {
    plugin_id = plugin.name, name = plugin.name, version = plugin.manifest.version,
    transport = plugin.manifest.transport, status = plugin.state, reason = plugin.reason,
    registered = plugin.registered or false, manifest = manifest_of(plugin),
    manifest_hash = plugin.hash, ring = plugin.ring,
    last_heartbeat = row and row.last_heartbeat and time.rfc3339(row.last_heartbeat),
  }
end

local function wanted(state, status)
  if not status then return state ~= "disabled" end
  return status == "all" or state == status
end

---@param core {db: table, manager: table}
---@param status string|nil only these, or "all"; default: all but the disabled ones
---@param processes boolean|nil with the processes of isolated plugins: for operators
---@return table[]|nil entries by name, an array of JSON
---@return table|nil err
function M.list(core, status, processes)
  local rows, err = registry.rows(core.db)
  if not rows then return nil, err end
  local by_name, out = {}, json.array()
  for _, row in ipairs(rows) do by_name[row.name] = row end
  for _, plugin in ipairs(core.manager.current.plugins) do
    if wanted(plugin.state, status) then
      local e = entry(plugin, by_name[plugin.name])
      e.process = processes and ring.process(plugin) or nil
      out[#out + 1] = e
    end
  end
  table.sort(out, function(a, b) return a.name < b.name end)
  return out
end

return M
