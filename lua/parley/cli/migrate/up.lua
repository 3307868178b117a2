-- parley migrate up

local move = require "parley.cli.migrate.move"

local M = {
  about = "Brings the schema to the newest version, or to another above.",
  options = move.options,
}

function M.run(o)
  return move.run(o, function(_, newest) return newest end, function(from, to)
    return to < from and ("the schema is at version %d: parley migrate down goes back"):format(from)
      or nil
  end)
end

return M
