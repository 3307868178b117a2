-- parley reload: the running host takes up settings, rules, triggers and plugins.

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Builds the next generation of settings, rules, triggers and plugins beside the one that serves and
puts it in its place. When something is wrong with it, says where, changes nothing, and exits with
78.]],
  options = { options.home, options.output },
}

function M.run(o)
  local r, err = home.reload(o.home)
  if not r then return exit.failed(err) end
  for _, key in ipairs(r.needs_restart) do
    io.stderr:write(("parley: '%s' has changed: it takes effect at the next start\n"):format(key))
  end
  if o.output == "json" then return output.json(r) end
  io.stdout:write(("generation %d serves: %d plugins, %d rules, built in %g ms\n"):format(
    r.generation, r.plugins, r.rules, r.took_ms))
  return exit.DONE
end

return M
