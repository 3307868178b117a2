-- parley token revoke

local cluster = require "parley.cluster"
local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local tokens = require "parley.store.tokens"

local M = {
  about = "Ends a token. A host that has just used it notices within a second.",
  arguments = { { name = "ID", help = "as parley token list shows it", needed = true } },
  options = { options.home, options.config, options.output },
}

function M.run(o)
  return database.with(o, { existing = true }, function(db)
    local results, err = db:commit { tokens.revoke(o[1]), cluster.bump "tokens" }
    if not results then return exit.failed(err) end
    if results[1].changes == 0 then
      io.stderr:write("parley: no valid token has the id '", o[1], "'\n")
      return exit.NO
    end
    if o.output == "json" then return output.json { id = o[1], revoked = true } end
    io.stdout:write("revoked ", o[1], "\n")
    return exit.DONE
  end)
end

return M
