-- parley plugin abort: the version on trial serves nobody any more.

local order = require "parley.cli.plugin.order"

local M = {
  about = [[
Ends the trial of a new version of a plugin: all dialogs have the version before again.]],
  arguments = order.arguments, options = order.options { order.reason },
}

function M.run(o)
  return order.run(o, "abort", function(r)
    return ("%s: deployment %d is cancelled, the version before serves all dialogs"):format(
      r.plugin_id, r.number)
  end)
end

return M
