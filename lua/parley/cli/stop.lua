-- parley stop: ends the running host, after its running turns or at once.

local cli = require "parley.cli.main"
local home = require "parley.cli.home"

local HELP = [[
usage: parley stop [--home DIR] [--now]

Waits until the host has ended. Running turns may finish, within the configured drain_seconds;
--now ends them: what was acknowledged is taken up again at the next start.
]]

local SECONDS = 660 -- drain_seconds may be 600

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", now = "flag", help = "flag" })
  if not o then return cli.usage(problem) end
  if o.help then
    io.stdout:write(HELP)
    return 0
  end
  local request = { cmd = "stop", now = o.now or false, wait = true }
  local result, err = home.ask(o.home or home.DEFAULT, request, SECONDS)
  if not result then return cli.failed(err) end
  io.stderr:write "stopped\n"
  return 0
end
