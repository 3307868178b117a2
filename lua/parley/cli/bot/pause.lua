-- parley bot pause

local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local M = {
  about = [[
Has a bot neither get nor send anything: Telegram keeps what people write for a day, the host what
it has to say, until the bot is resumed.]],
  arguments = { shared.name },
  options = shared.common,
}

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = orders.change(deps, o[1], { state = "paused" }, { by = shared.BY })
    return shared.done(o, view, err, "paused")
  end)
end

return M
