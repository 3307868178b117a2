-- parley version

local fs = require "host.fs"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = { about = "Prints the version.", options = { options.output } }

function M.run(o)
  if o.output == "json" then return output.json { version = fs.version() } end
  io.stdout:write("parley ", fs.version(), "\n")
  return 0
end

return M
