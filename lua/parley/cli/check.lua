-- parley check: the configuration and every plugin, as a start or a reload would take them.

local cli = require "parley.cli.main"
local config = require "parley.config"
local generation = require "parley.plugins.generation"

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", config = "value", help = "flag" })
  if not o then return cli.usage(problem) end
  if o.help then
    io.stdout:write "usage: parley check [--home DIR] [--config FILE]\n"
    return 0
  end
  local cfg, err = config.load(o.home or ".parley", { file = o.config })
  if not cfg then return cli.failed(err) end
  local g
  g, err = generation.build(cfg)
  if not g then return cli.failed(err) end
  io.stderr:write(("all is well: %d plugins, %d rules\n"):format(#g.plugins, g.rules.count))
  g:close()
  return 0
end
