-- Which tokens were used, written down together and a while later: no request waits for it, and
-- nothing but a time to the minute is lost when it fails.

local task = require "host.task"
local tokens = require "parley.store.tokens"

local M = {}

local LATER_S = 2

---@param db table
---@return fun(id: string) note that a token was verified
function M.new(db)
  local noted, statements = {}, nil
  return function(id)
    if noted[id] then return end
    noted[id] = true
    if statements then
      statements[#statements + 1] = tokens.used(id)
      return
    end
    statements = { tokens.used(id) }
    task.spawn(function()
      task.sleep(LATER_S)
      local batch = statements
      noted, statements = {}, nil
      pcall(db.commit, db, batch) -- the database may be closed by now
    end)
  end
end

return M
