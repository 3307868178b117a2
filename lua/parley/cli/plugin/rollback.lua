-- parley plugin rollback: an earlier bundle of a plugin serves again.

local exit = require "parley.cli.exit"
local order = require "parley.cli.plugin.order"

local function is_hash(text)
  if text:find "^%x+$" and #text >= 6 and #text <= 64 then return text:lower() end
  return nil, "6 to 64 hexadecimal digits expected, as parley plugin bundles shows them"
end

local M = {
  about = [[
Goes back to the bundle of a plugin that served before the one that serves now, in every worker of
every instance. It serves, whatever the plugin's folder says and after every reload and restart,
until --undo has the folder followed again. parley plugin bundles shows what there is.]],
  arguments = order.arguments,
  options = order.options {
    { name = "to", value = "HASH", help = "this bundle: how its hash begins", check = is_hash },
    { name = "undo", help = "follow the folder again" },
    order.reason,
  },
}

function M.run(o)
  if o.undo and o.to then return exit.usage "plugin rollback: either --to or --undo" end
  return order.run(o, o.undo and "follow" or "rollback", function(r)
    return ("%s %s serves, bundle %s%s"):format(r.plugin_id, r.version, r.hash:sub(1, 12),
      r.pinned and "; its folder is not followed until --undo" or "; its folder is followed")
  end, { to = o.to })
end

return M
