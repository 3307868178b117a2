-- parley broadcast start

local broadcasts = require "parley.broadcasts"
local order = require "parley.cli.broadcast.order"
local rfc3339 = require "parley.util.rfc3339"

local M = {
  about = "Starts a broadcast, or says when it is to start; another time may be given later.",
  arguments = order.arguments,
  options = order.options {
    {
      name = "at", value = "TIME", help = "like 2030-01-31T09:00:00Z (default: now)",
      check = function(text)
        local ms = rfc3339.parse(text)
        if not ms then return nil, "a time like 2030-01-31T09:00:00+02:00 expected" end
        return ms
      end,
    },
    order.reason,
  },
}

function M.run(o)
  return order.run(o, function(db)
    return broadcasts.start(db, o[1], { by = "cli", reason = o.reason, at = o.at })
  end, order.say)
end

return M
