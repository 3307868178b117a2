-- parley help [COMMAND...]

local command = require "parley.cli.command"
local main = require "parley.cli.main"

local M = {
  about = "Says what there is, or more about a command.",
  arguments = { { name = "COMMAND", many = true } },
}

function M.run(o)
  local args = { unpack(o) }
  args[#args + 1] = "--help"
  return command.run({}, main, args)
end

return M
