-- The database of a spec's host: the embedded one in its home, or a schema of its own on the server
-- of tools/with-postgres when the specs run on that (tools/test runs them on both).

local crypto = require "host.crypto"
local fs = require "host.fs"
local postgres = require "host.postgres"

local M = {}

local SERVER = fs.getenv "PARLEY_SPEC_DATABASE_URL"

---Whether the specs run on PostgreSQL.
M.is_postgres = SERVER ~= nil

---The address for PARLEY_DATABASE_URL, the same for the same home.
---@param home string
---@return string|nil url nil: the default of the home
function M.url(home)
  if not SERVER then return nil end
  local schema = "spec_" .. crypto.hex(crypto.sha256(home)):sub(1, 24)
  local db = postgres.open { url = SERVER, writers = 1, readers = 1 }
  assert(postgres.wait(db))
  assert(db:script("CREATE SCHEMA IF NOT EXISTS " .. schema))
  db:close()
  return SERVER .. "&options=-csearch_path%3D" .. schema
end

---What a host of a spec finds in its environment.
---@param home string
---@return fun(name: string): string|nil getenv for parley.config
function M.environment(home)
  local env = { PARLEY_DATABASE_URL = M.url(home) }
  return function(name) return env[name] end
end

return M
