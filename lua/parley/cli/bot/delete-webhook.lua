-- parley bot delete-webhook

local shared = require "parley.cli.bot.orders"
local transport = require "parley.channels.telegram.transport"

local M = {
  about = [[
Takes the webhook of a bot away: this host polls for it again. Nothing is lost, and nothing is taken
twice.]],
  arguments = { shared.name },
  options = {
    { name = "drop-pending", help = "forget what waits at Telegram" }, unpack(shared.common),
  },
}

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = transport.delete_webhook(deps, o[1], { drop_pending = o.drop_pending },
      { by = shared.BY })
    return shared.done(o, view, err, "webhook deleted of")
  end)
end

return M
