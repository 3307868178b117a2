-- Log lines of the platform: host.log under the names that the platform passes around.

local log = require "host.log"

return {
  setup = log.setup,
  level = log.level,
  ---@type fun(level: string, message: string, fields: table|nil)
  write = log.log,
}
