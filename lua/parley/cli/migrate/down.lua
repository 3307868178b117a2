-- parley migrate down

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local move = require "parley.cli.migrate.move"

local M = {
  about = [[
Takes the schema back by one version, or to another below. What only the newer version can hold is
lost. The host must be stopped.]],
  options = move.options,
}

function M.run(o)
  if home.ask(o.home, { cmd = "status" }, 10) then
    return exit.failed {
      code = "busy",
      message = ("a host runs on %s: parley stop --home %s first"):format(o.home, o.home),
    }
  end
  return move.run(o, function(current) return math.max(current - 1, 0) end, function(from, to)
    return to > from and ("the schema is at version %d: parley migrate up goes on"):format(from)
      or nil
  end)
end

return M
