-- Brings the schema to a version, for `migrate up` and `migrate down`.

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local migrate = require "parley.store.migrate"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local store = require "parley.store"

local M = {}

M.options = {
  {
    name = "to", value = "N", help = "the version to go to; 0 is an empty database",
    check = options.number(0, 9999, true),
  },
  options.home, options.config, options.output,
}

---@param o table options of the command
---@param target fun(current: integer, newest: integer): integer without --to
---@param allowed fun(from: integer, to: integer): string|nil a problem
---@return integer exit code
function M.run(o, target, allowed)
  return database.with(o, { migrate = false }, function(db)
    local list, err = store.migrations(db)
    if not list then return exit.failed(err) end
    local status
    status, err = migrate.status(db, list)
    if not status then return exit.failed(err) end
    local to = o.to or target(status.current, #list)
    local problem = to > #list and ("there is no version %d, the newest is %d"):format(to, #list)
      or allowed(status.current, to)
    if problem then return exit.usage("migrate: " .. problem) end
    local version
    version, err = migrate.to(db, list, to)
    if not version then return exit.failed(err) end
    if o.output == "json" then return output.json { version = version, newest = #list } end
    io.stdout:write(("the schema is at version %d of %d\n"):format(version, #list))
    return exit.DONE
  end)
end

return M
