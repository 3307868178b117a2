-- Opening the database that the configuration names, with the schema that this program knows.

local fs = require "host.fs"
local migrate = require "parley.store.migrate"
local sqlite = require "host.sqlite"

local M = {}

---@param config table
---@param opts {migrate: boolean|nil}|nil migrate = false: leave the schema as it is
---@return table|nil db
---@return table|nil err
function M.open(config, opts)
  local path = config.database_url:match "^sqlite:(.+)$"
  if not path then
    return nil, {
      code = "config", retryable = false, op = "store.open",
      message = "database_url: expected sqlite:PATH, got '" .. config.database_url .. "'",
    }
  end
  local dir = path:match "^(.*)/[^/]*$"
  if dir then
    local ok, err = fs.mkdir(dir, tonumber("700", 8))
    if not ok then return nil, err end
  end
  local db, err = sqlite.open { path = path }
  if not db then
    err.message = path .. ": " .. err.message
    return nil, err
  end
  if not (opts and opts.migrate == false) then
    local list, version
    list, err = migrate.load(M.migrations_dir())
    if list then version, err = migrate.to(db, list) end
    if not version then
      db:close()
      return nil, err
    end
  end
  return db
end

function M.migrations_dir() return fs.data_dir() .. "/migrations/sqlite" end

return M
