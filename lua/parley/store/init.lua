-- Opening the database that the configuration names, with the schema that this program knows.

local fs = require "host.fs"
local migrate = require "parley.store.migrate"
local postgres = require "host.postgres"
local sqlite = require "host.sqlite"
local task = require "host.task"
local time = require "host.time"

local M = {}

local RETRY_S = 0.25

local function open_sqlite(path, scratch)
  local dir = path:match "^(.*)/[^/]*$"
  if dir then
    local ok, err = fs.mkdir(dir, tonumber("700", 8))
    if not ok then return nil, err end
  end
  local db, err = sqlite.open { path = path, scratch = scratch }
  if not db then
    err.message = path .. ": " .. err.message
    return nil, err
  end
  return db
end

-- A server that is away may come back; one that refuses us will go on doing so.
local function open_postgres(config, opts)
  local db = postgres.open {
    url = config.database_url, unsafe = config.database_unsafe,
    writers = config.database_writers, readers = config.database_readers,
  }
  local until_s, told = time.mono() + (opts.patience or 0), nil
  repeat
    local ok, err = postgres.wait(db)
    if ok then return db end
    local again = err.retryable and time.mono() < until_s
    if not again then
      db:close()
      err.message = "the database cannot be reached: " .. err.message
      return nil, err
    end
    if not told and opts.waiting then opts.waiting(err) end
    told = true
    task.sleep(RETRY_S)
  until false
end

---@param config table with `database_scratch`, which no operator can set, for a database in a file
---   that goes with the process: nothing waits for the disk
---@param opts {migrate: boolean?, patience: number?, waiting: fun(err: table)?}|nil migrate =
---   false: leave the schema as it is; patience: seconds to wait for a server that is away, and
---   `waiting` is called once when that begins
---@return table|nil db
---@return table|nil err
function M.open(config, opts)
  opts = opts or {}
  local path = config.database_url:match "^sqlite:(.+)$"
  local db, err
  if path then
    db, err = open_sqlite(path, config.database_scratch)
  else
    db, err = open_postgres(config, opts)
  end
  if not db or opts.migrate == false then return db, err end
  local list, version
  list, err = M.migrations(db)
  if list then version, err = migrate.to(db, list) end
  if version then return db end
  db:close()
  return nil, err
end

---Another file that goes with the database.
---@param config table as for M.open
---@param name string
---@return {path: string, scratch: boolean|nil}|nil file nil: the database is not a file
function M.beside(config, name)
  local path = config.database_url:match "^sqlite:(.+)$"
  return path and { path = path .. "-" .. name, scratch = config.database_scratch }
end

---The migrations of the database's kind.
---@param db table
---@return table[]|nil list of parley.store.migrate
---@return table|nil err
function M.migrations(db)
  return migrate.load(fs.data_dir() .. "/migrations/" .. db:dialect())
end

return M
