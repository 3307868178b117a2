-- The databases that a spec of the drivers runs on: a new file for SQLite, a new schema for PostgreSQL, on the
-- server of tools/test.

local database = require "spec.support.database"
local fs = require "host.fs"
local host_postgres = require "host.postgres"
local host_sqlite = require "host.sqlite"
local temporary = require "parley.util.temporary"

local M = {}

---The server for specs that leave it as it is.
M.SERVER = assert(fs.getenv "PARLEY_SPEC_POSTGRES_URL", "PARLEY_SPEC_POSTGRES_URL is not set: run tools/test SPEC")

---@class spec.Driver
---@field name string
---@field types {int: string, real: string, strict: string} what differs in CREATE TABLE
---@field place fun(): string where a new, empty database is
---@field open fun(place: string|nil, options: table|nil): table db, connected

---@type spec.Driver
M.sqlite = {
  name = "sqlite",
  types = { int = "INTEGER", real = "REAL", strict = "STRICT" },
  place = function() return assert(temporary.folder()) .. "/db" end,
}

function M.sqlite.open(place, options)
  local o = { path = place or M.sqlite.place() }
  for k, v in pairs(options or {}) do o[k] = v end
  return assert(host_sqlite.open(o))
end

---@type spec.Driver
M.postgres = {
  name = "postgres",
  types = { int = "BIGINT", real = "DOUBLE PRECISION", strict = "" },
  place = function() return database.schema(M.SERVER, assert(temporary.folder())) end,
}

function M.postgres.open(place, options)
  local o = { url = place or M.postgres.place() }
  for k, v in pairs(options or {}) do o[k] = v end
  local db = host_postgres.open(o)
  assert(host_postgres.wait(db))
  return db
end

---The CREATE TABLE of a driver.
---@param driver spec.Driver
---@param text string with int, real and strict in $ and braces
---@return string sql
function M.sql(driver, text) return (text:gsub("%${(%w+)}", driver.types)) end

---@type spec.Driver[]
M.both = { M.sqlite, M.postgres }

return M
