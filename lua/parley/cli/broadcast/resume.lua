-- parley broadcast resume

local broadcasts = require "parley.broadcasts"
local order = require "parley.cli.broadcast.order"

return order.command(broadcasts.resume, "Goes on with a broadcast that was paused, where it was.")
