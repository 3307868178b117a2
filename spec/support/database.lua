-- The database of a spec's host: the embedded one in its home, or a schema of its own on the server
-- of tools/with-postgres when the specs run on that (tools/test runs them on both).

local crypto = require "host.crypto"
local fs = require "host.fs"
local postgres = require "host.postgres"
local redis = require "host.redis"
local store = require "parley.store"
local temporary = require "parley.util.temporary"

local M = {}

local SERVER = fs.getenv "PARLEY_SPEC_DATABASE_URL"
local REDIS = fs.getenv "PARLEY_SPEC_REDIS_URL"

---Whether the specs run on PostgreSQL.
M.is_postgres = SERVER ~= nil

---The address of a schema of its own on a server, the same for the same name.
---@param server string a URL that has a query already
---@param name string
---@return string url
function M.schema(server, name)
  local schema = "spec_" .. crypto.hex(crypto.sha256(name)):sub(1, 24)
  local db = postgres.open { url = server, writers = 1, readers = 1 }
  assert(postgres.wait(db))
  assert(db:script("CREATE SCHEMA IF NOT EXISTS " .. schema))
  db:close()
  return server .. "&options=-csearch_path%3D" .. schema
end

---The address for PARLEY_DATABASE_URL, the same for the same home.
---@param home string
---@return string|nil url nil: the default of the home
function M.url(home)
  return SERVER and M.schema(SERVER, home)
end

---What the program finds in its environment when a spec starts it.
---@param home string
---@return table<string, string>
function M.variables(home)
  local env = { PARLEY_DATABASE_URL = M.url(home), PARLEY_REDIS_URL = REDIS }
  return env
end

---A database with nothing in it but what the script makes, on whichever the specs run.
---@param script string SQL that both speak
---@return table db
function M.empty(script)
  local home = assert(temporary.folder())
  local db = assert(store.open({ database_url = M.url(home) or "sqlite:" .. home .. "/spec.db" }, { migrate = false }))
  assert(db:script(script))
  return db
end

---A new host begins with an empty Redis: what one before has counted under the same names is not its.
function M.forget()
  if not REDIS then return end
  local r = assert(redis.open { url = REDIS })
  assert(r:call "FLUSHDB")
  r:close()
end

---What a host in the spec's own process finds.
---@param home string
---@param with_redis boolean|nil false: none, on whatever the specs run
---@return fun(name: string): string|nil getenv for parley.config
function M.environment(home, with_redis)
  local env = M.variables(home)
  -- What the configuration of the home names itself is left to it.
  local text = fs.read(home .. "/conf/parley.lua") or ""
  if with_redis == false or text:find "redis_url" then env.PARLEY_REDIS_URL = nil end
  if text:find "database_url" then env.PARLEY_DATABASE_URL = nil end
  return function(name) return env[name] end
end

return M
