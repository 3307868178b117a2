-- parley bot remove

local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local M = {
  about = [[
Removes a bot. What waits to be sent by it and its scheduled jobs are given up; its dialogs stay,
and go on when a bot of the same name is added again.]],
  arguments = { shared.name },
  options = shared.common,
}

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = orders.remove(deps, o[1], { by = shared.BY })
    return shared.done(o, view, err, "removed")
  end)
end

return M
