local fs = require "host.fs"
local migrate = require "parley.store.migrate"
local sqlite = require "host.sqlite"
local task = require "host.task"

local function temp()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function tables(db)
  local names = {}
  for _, row in ipairs(db:query("SELECT name FROM sqlite_master WHERE type = 'table' "
    .. "AND name != 'migrations_info' AND name NOT LIKE 'sqlite_%'")) do
    names[#names + 1] = row.name
  end
  return #names
end

describe("migrations", function()
  local list = assert(migrate.load(fs.data_dir() .. "/migrations/sqlite"))

  it("go up, down and up again, with rows in the tables", function()
    local db = assert(sqlite.open { path = temp() })
    assert.equal(#list, migrate.to(db, list))
    assert.is_true(tables(db) >= 13)
    assert(db:commit { { "INSERT INTO users (id, created_at, updated_at) VALUES ('u', 1, 1)" } })
    assert.equal(0, migrate.to(db, list, 0))
    assert.equal(0, tables(db))
    assert.equal(#list, migrate.to(db, list))
    assert.equal(#list, assert(migrate.status(db, list)).current)
    db:close()
  end)

  it("keep the events that wait to be published, in their order", function()
    local db = assert(sqlite.open { path = temp() })
    assert(migrate.to(db, list))
    for i = 1, 12 do
      assert(db:commit { { "INSERT INTO streams (stream, payload, created_at) VALUES ('s', $1, 1)", tostring(i) } })
    end
    assert.equal(3, migrate.to(db, list, 3))
    assert.equal(#list, migrate.to(db, list))
    local kept = {}
    for i, row in ipairs(db:query "SELECT payload FROM streams ORDER BY id") do kept[i] = tonumber(row.payload) end
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, kept)
    db:close()
  end)

  it("are applied once by hosts that start together", function()
    local path = temp()
    local dbs, hs = {}, {}
    for i = 1, 4 do dbs[i] = assert(sqlite.open { path = path }) end
    for i = 1, 4 do hs[i] = task.spawn(function() return migrate.to(dbs[i], list) end) end
    for i = 1, 4 do assert.same({ true, #list }, { hs[i]:join() }) end
    for i = 1, 4 do dbs[i]:close() end
  end)

  it("refuse a file that was changed after it was applied, and a newer database", function()
    local dir, path = temp(), temp()
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (x);"))
    assert(fs.write(dir .. "/0001_a.down.sql", "DROP TABLE a;"))
    local db = assert(sqlite.open { path = path })
    assert.equal(1, migrate.to(db, migrate.load(dir)))
    assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (y);"))
    local _, err = migrate.to(db, migrate.load(dir))
    assert.equal("migration_changed", err.code)
    _, err = migrate.to(db, {})
    assert.equal("migration_unknown", err.code)
    db:close()
  end)

  it("leave nothing of one that fails", function()
    local dir = temp()
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (x); CREATE TABLE a (x);"))
    assert(fs.write(dir .. "/0001_a.down.sql", ""))
    local db = assert(sqlite.open { path = temp() })
    local _, err = migrate.to(db, migrate.load(dir))
    assert.equal("invalid", err.code)
    assert.equal(0, tables(db))
    assert.equal(0, migrate.status(db, migrate.load(dir)).current)
    db:close()
  end)
end)
