-- parley plugin test: the specs of a plugin, inside the host, with parley.testkit.

local busted = require "parley.cli.busted"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local options = require "parley.cli.options"

local M = {
  about = "Runs the specs of a plugin, spec/*_spec.lua, inside the host.",
  arguments = { { name = "PLUGIN", help = "a name, or the path of a folder", needed = true } },
  options = { options.home }, rest = "ARGUMENTS OF busted",
}

function M.run(o)
  local dir, err = find.one(o.home, o[1])
  if not dir then return exit.failed(err) end
  if not fs.exists(dir .. "/spec") then
    io.stderr:write("parley: ", dir, " has no spec/: nothing was tested\n")
    return exit.NO
  end
  return busted.run(dir .. "/spec", unpack(o.rest))
end

return M
