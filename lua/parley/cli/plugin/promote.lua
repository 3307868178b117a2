-- parley plugin promote: the version on trial serves all dialogs.

local order = require "parley.cli.plugin.order"

local M = {
  about = [[
Gives the new version of a plugin, which a share of the dialogs has had on trial, to all dialogs,
without waiting for the end of its window.]],
  arguments = order.arguments, options = order.options { order.reason },
}

function M.run(o)
  return order.run(o, "promote", function(r)
    return ("%s: deployment %d is promoted"):format(r.plugin_id, r.number)
  end)
end

return M
