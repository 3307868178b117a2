-- The SQL that the platform makes while specs run: `parley busted --helper spec/support/statements.lua SPEC...`
-- appends each text that came from lua/parley to the file PARLEY_SPEC_STATEMENTS, one JSON string a line.

local fs = require "host.fs"
local json = require "host.json"
local sqlite = require "host.sqlite"

local seen = {}
local file = assert(io.open(assert(fs.getenv "PARLEY_SPEC_STATEMENTS"), "a"))
file:setvbuf "no"

local function record(sql)
  if type(sql) ~= "string" or seen[sql] then return end
  seen[sql] = true
  file:write(json.encode(sql), "\n")
end

-- What a spec asks itself, to see how it went, is not the platform's. A task of its own is made by the platform alone.
local function by_platform()
  local caller = debug.getinfo(3, "S")
  return caller == nil or caller.source:find "/lua/parley/" ~= nil
end

local function wrap(methods)
  local commit, query, first = methods.commit, methods.query, methods.first
  function methods.commit(db, statements)
    if by_platform() then
      for _, s in ipairs(statements) do record(s[1]) end
    end
    return commit(db, statements)
  end
  function methods.query(db, sql, ...)
    if by_platform() then record(sql) end
    return query(db, sql, ...)
  end
  function methods.first(db, sql, ...)
    if by_platform() then record(sql) end
    return first(db, sql, ...)
  end
end

local open, wrapped = sqlite.open, {}
function sqlite.open(...)
  local db, err = open(...)
  local methods = db and getmetatable(db).__index
  if methods and not wrapped[methods] then
    wrapped[methods] = true
    wrap(methods)
  end
  return db, err
end
