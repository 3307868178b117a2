-- A server that answers after as many seconds as the query says: /?seconds=2

local http_server = require "host.http_server"
local task = require "host.task"

---@return {port: integer, close: fun()}
return function()
  local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req, _, _, query)
    task.sleep(tonumber((query or ""):match "seconds=([%d.]+)") or 0)
    req:respond(200, "Content-Type: text/plain\r\n", "well")
  end))
  return { port = server:port(), close = function() server:close() end }
end
