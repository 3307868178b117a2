-- parley migrate status

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local migrate = require "parley.store.migrate"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local store = require "parley.store"
local time = require "host.time"

local M = {
  about = "Shows the versions of the schema, and when each was applied.",
  options = { options.home, options.config, options.output },
}

function M.run(o)
  return database.with(o, { existing = true, migrate = false }, function(db)
    local list, err = store.migrations(db)
    if not list then return exit.failed(err) end
    local s
    s, err = migrate.status(db, list)
    if not s then return exit.failed(err) end
    for _, m in ipairs(s.list) do m.applied_at = m.applied_at and time.rfc3339(m.applied_at) end
    if o.output == "json" then return output.json(s) end
    local rows = {}
    for i, m in ipairs(s.list) do
      rows[i] = { ("%04d"):format(m.version), m.name, m.applied_at or "not applied" }
    end
    output.table({ "VERSION", "NAME", "APPLIED" }, rows)
    return exit.DONE
  end)
end

return M
