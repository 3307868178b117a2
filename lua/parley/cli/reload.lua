-- parley reload: the running host takes up configuration, rules and plugins.

local cli = require "parley.cli.main"
local home = require "parley.cli.home"
local json = require "host.json"

local HELP = [[
usage: parley reload [--home DIR] [-o json|table]

Builds the next generation beside the one that serves and puts it in its place. When something is
wrong with it, says where, changes nothing, and exits with 78.
]]

local SECONDS = 90 -- the host itself gives up after 60

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", o = "value", help = "flag" })
  if not o then return cli.usage(problem) end
  if o.help then
    io.stdout:write(HELP)
    return 0
  end
  local r, err = home.ask(o.home or home.DEFAULT, { cmd = "reload" }, SECONDS)
  if not r then return cli.failed(err) end
  if o.o == "json" then
    io.stdout:write(json.encode(r, { sorted = true }), "\n")
    return 0
  end
  io.stdout:write(("generation %d serves: %d plugins, %d rules, built in %g ms\n"):format(
    r.generation, r.plugins, r.rules, r.took_ms))
  for _, key in ipairs(r.needs_restart) do
    io.stderr:write(("parley: '%s' has changed: it takes effect at the next start\n"):format(key))
  end
  return 0
end
