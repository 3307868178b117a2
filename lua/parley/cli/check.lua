-- parley check: settings, rules and every plugin, as a start or a reload would take them.

local config = require "parley.config"
local exit = require "parley.cli.exit"
local generation = require "parley.plugins.generation"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Checks settings, rules and every plugin, as a start or a reload would take them, and says what is
wrong, with file and line.]],
  options = { options.home, options.config, options.output },
}

function M.run(o)
  local cfg, err = config.load(o.home, { file = o.config })
  if not cfg then return exit.failed(err) end
  local g
  g, err = generation.build(cfg)
  if not g then return exit.failed(err) end
  local found = { plugins = #g.plugins, rules = g.rules.count }
  g:close()
  if o.output == "json" then return output.json(found) end
  io.stdout:write(("all is well: %d plugins, %d rules\n"):format(found.plugins, found.rules))
  return exit.DONE
end

return M
