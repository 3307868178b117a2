-- parley bot token

local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local M = {
  about = [[
Gives a bot the token that @BotFather has made for it anew. It is read as by parley bot add.]],
  arguments = { shared.name },
  options = { shared.token_file, shared.offline, unpack(shared.common) },
}

function M.run(o)
  local token, err = shared.token(o)
  if not token then return shared.failed(err) end
  return shared.with(o, function(deps)
    local view, problem = orders.change(deps, o[1], { token = token },
      { by = shared.BY, verify = not o.offline })
    return shared.done(o, view, problem, "changed")
  end)
end

return M
