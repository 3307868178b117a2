-- parley broadcast cancel

local broadcasts = require "parley.broadcasts"
local order = require "parley.cli.broadcast.order"

return order.command(broadcasts.cancel,
  "Ends a broadcast for good. What is on its way, a few seconds' worth, still arrives.")
