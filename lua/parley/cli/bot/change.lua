-- parley bot change

local exit = require "parley.cli.exit"
local json = require "host.json"
local orders = require "parley.channels.telegram.orders"
local shared = require "parley.cli.bot.orders"

local M = {
  about = "Changes which plugins the dialogs of a bot may reach, or its settings.",
  arguments = { shared.name },
  options = {
    shared.settings[1], { name = "all-plugins", help = "they may reach all" }, shared.settings[2],
    unpack(shared.common),
  },
}

function M.run(o)
  if o.plugins and o.all_plugins then
    return exit.usage "bot change: --plugins or --all-plugins, not both"
  end
  local set = { plugins = o.all_plugins and json.null or o.plugins, config = o.settings }
  if next(set) == nil then
    return exit.usage "bot change: --plugins, --all-plugins or --settings is needed"
  end
  return shared.with(o, function(deps)
    local view, err = orders.change(deps, o[1], set, { by = shared.BY })
    return shared.done(o, view, err, "changed")
  end)
end

return M
