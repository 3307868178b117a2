-- parley bot add

local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local function check_name(text)
  if #text > 32 or not text:find "^%l[%l%d_]*$" then
    return "up to 32 small letters, digits and _, a letter first,"
  end
end

local M = {
  about = [[
Adds a bot: a running host begins to work for it within a second. Telegram is asked whose token it
is. The token is read from a file, the environment or the standard input, and stored sealed.]],
  arguments = {
    { name = "NAME", help = "how the host is to call the bot", needed = true, check = check_name },
  },
  options = {
    shared.token_file, shared.settings[1], shared.settings[2],
    { name = "paused", help = "do not begin yet" }, shared.offline, unpack(shared.common),
  },
}

function M.run(o)
  local token, err = shared.token(o)
  if not token then return shared.failed(err) end
  return shared.with(o, function(deps)
    local view, problem = orders.add(deps, {
      name = o[1], token = token, plugins = o.plugins, config = o.settings,
      state = o.paused and "paused" or "active",
    }, { by = shared.BY, verify = not o.offline })
    return shared.done(o, view, problem, "added")
  end, true)
end

return M
