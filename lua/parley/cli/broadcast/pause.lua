-- parley broadcast pause

local broadcasts = require "parley.broadcasts"
local order = require "parley.cli.broadcast.order"

return order.command(broadcasts.pause,
  "Takes no further recipients. What is on its way, a few seconds' worth, still arrives.")
