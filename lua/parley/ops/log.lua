-- Log lines of the platform: host.log under the names that the platform passes around. A worker
-- keeps the latest of those that name a plugin (parley.ops.recent).

local log = require "host.log"
local recent = require "parley.ops.recent"

local M = { setup = log.setup, level = log.level }

local kept

---From here on the latest lines about plugins are kept.
---@return parley.Recent
function M.keep()
  kept = kept or recent.new()
  return kept
end

---@param level "debug"|"info"|"warn"|"error"
---@param message string
---@param fields table|nil
function M.write(level, message, fields)
  log.log(level, message, fields)
  if kept and fields and type(fields.plugin) == "string" then kept:add(level, message, fields) end
end

return M
