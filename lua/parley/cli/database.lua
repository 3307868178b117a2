-- The database of a home, for a command.

local config = require "parley.config"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local store = require "parley.store"

local M = {}

---Calls fn(db, config) with the database that the settings name, and closes it.
---@param o {home: string, config?: string}
---@param opts {existing?: boolean, migrate?: boolean} existing: do not make a home
---@param fn fun(db: table, config: table): integer exit code
---@return integer exit code
function M.with(o, opts, fn)
  if opts.existing and not fs.exists(o.home) then
    return exit.failed {
      code = "config",
      message = ("there is no home %s: parley serve --home %s makes one"):format(o.home, o.home),
    }
  end
  local cfg, err = config.load(o.home, { file = o.config })
  if not cfg then return exit.failed(err) end
  local db
  db, err = store.open(cfg, { migrate = opts.migrate })
  if not db then return exit.failed(err) end
  local code = fn(db, cfg)
  db:close()
  return code
end

return M
