-- parley plugin disable: no message goes to a plugin any more.

local order = require "parley.cli.plugin.order"

local M = {
  about = [[
Keeps a plugin of the running host from being chosen, in every worker of every instance, until
parley plugin enable; also after a restart. Its jobs wait.]],
  arguments = order.arguments, options = order.options { order.reason },
}

function M.run(o)
  return order.run(o, "disable", function(r)
    return ("%s is disabled: %s"):format(r.plugin_id, r.reason)
  end)
end

return M
