-- parley broadcast show

local broadcasts = require "parley.broadcasts"
local order = require "parley.cli.broadcast.order"
local output = require "parley.cli.output"
local shown = require "parley.cli.broadcast.shown"

local M = {
  about = "Shows a broadcast and how far it is.",
  arguments = order.arguments, options = order.options {},
}

function M.run(o)
  return order.run(o, function(db)
    local b, err = broadcasts.get(db, o[1])
    return b and broadcasts.view(b), err
  end, function(b)
    local lines = shown.lines(b)
    output.table(table.remove(lines, 1), lines)
  end)
end

return M
