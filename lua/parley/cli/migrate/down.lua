-- parley migrate down

local move = require "parley.cli.migrate.move"

local M = {
  about = [[
Takes the schema back by one version, or to another below. What only the newer version can hold is
lost. Stop the host first.]],
  options = move.options,
}

function M.run(o)
  return move.run(o, function(current) return math.max(current - 1, 0) end, function(from, to)
    return to > from and ("the schema is at version %d: parley migrate up goes on"):format(from)
      or nil
  end)
end

return M
