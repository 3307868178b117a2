-- parley bot resume

local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local M = {
  about = "Lets a bot go on that was paused.",
  arguments = { shared.name },
  options = shared.common,
}

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = orders.change(deps, o[1], { state = "active" }, { by = shared.BY })
    return shared.done(o, view, err, "resumed")
  end)
end

return M
