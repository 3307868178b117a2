-- parley plugin enable: a plugin may be chosen again.

local order = require "parley.cli.plugin.order"

local M = {
  about = [[
Lets a plugin of the running host be chosen again that an operator, a trigger or a hang has
disabled, in every worker of every instance.]],
  arguments = order.arguments, options = order.options { order.reason },
}

function M.run(o)
  return order.run(o, "enable", function(r)
    return ("%s is %s"):format(r.plugin_id, r.status)
  end)
end

return M
