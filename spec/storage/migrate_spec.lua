-- The schema on both databases: up, down and up again, with rows in the tables, by several at once, and half way.

local drivers = require "spec.support.drivers"
local fs = require "host.fs"
local migrate = require "parley.store.migrate"
local programs = require "spec.support.process"
local store = require "parley.store"
local task = require "host.task"
local temporary = require "parley.util.temporary"

local function temp() return assert(temporary.folder()) end

local TABLES = {
  sqlite = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  postgres = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
}

local function tables(db)
  local names = {}
  for _, row in ipairs(assert(db:query(TABLES[db:dialect()]))) do
    if row.name ~= "migrations_info" then names[#names + 1] = row.name end
  end
  return names
end

-- A row that the first version can hold in each of its tables, but for events on their way: the second version
-- keeps them otherwise, and the first never had any.
local FIRST = {
  users = "(id, telegram_id, external_id, locale, name, created_at, updated_at) VALUES ('u', 7, 'e', 'uk', 'Ї''', 1, 2)",
  dialogs = "(id, user_id, channel, state, version, created_at, last_message_at) VALUES ('d', 'u', 'api', '{}', 3, 1, 2)",
  messages = "VALUES ('d', 'm', 0, 'user', '{\"text\":\"hello\"}', NULL, 't', 9007199254740992)",
  inbox = "(source, key, dialog_id, state, payload, body_hash, trace_id, received_at) "
    .. "VALUES ('dialog:d', 'k', 'd', 'open', '{}', 'h', 't', 1)",
  plugins = "(id, name, version, transport, status, manifest, manifest_hash, created_at, updated_at) "
    .. "VALUES ('p', 'p', '1', 'rest', 'active', '{}', 'h', 1, 2)",
  plugin_calls = "VALUES ('c', 'p', 'd', 1, 'ok', 0.25, NULL, '{}', '{}', 't', 1, 2)",
  plugin_events = "(id, plugin_id, event_type, severity, trace_id, occurred_at) VALUES ('e', 'p', 'x', 'info', 't', 1)",
  audit_logs = "(id, source, action, severity, trace_id, details, created_at) VALUES ('a', 's', 'x', 'info', 't', '{}', 1)",
  tokens = "(id, kind, scopes, hash, created_at) VALUES ('t', 'bot', '[]', 'h', 1)",
  dead_letters = "VALUES ('l', 's', '{}', 'e', 1, 't', 1)",
  jobs = "VALUES ('j', 'p', 'x', 'd', '{}', 5, 'open', 1, 't', 1)",
  idempotency = "VALUES ('s', 'k', 'h', 200, '{}', 1)",
  kv = "VALUES ('p', 's', 'k', '1', 5)",
}

local function rows(db, like)
  local all = {}
  for name in pairs(FIRST) do
    all[name] = {}
    for i, row in ipairs(assert(db:query("SELECT * FROM " .. name))) do
      all[name][i] = row
      -- What a later version has put beside it, the first does not know.
      for column in pairs(like and row or {}) do
        if like[name][i] and like[name][i][column] == nil then row[column] = nil end
      end
    end
  end
  return all
end

for _, driver in ipairs(drivers.both) do
  describe(driver.name .. ": migrations", function()
    local list

    setup(function()
      local db = driver.open()
      list = assert(store.migrations(db))
      db:close()
    end)

    it("go up, down and up again, step by step", function()
      local db = driver.open()
      local after = {}
      for version = 1, #list do
        assert.equal(version, migrate.to(db, list, version))
        after[version] = tables(db)
      end
      assert.is_true(#after[#list] >= 13)
      for version = #list - 1, 1, -1 do
        assert.equal(version, migrate.to(db, list, version))
        assert.same(after[version], tables(db))
      end
      assert.equal(0, migrate.to(db, list, 0))
      assert.same({}, tables(db))
      assert.equal(#list, migrate.to(db, list))
      assert.same(after[#list], tables(db))
      assert.equal(#list, assert(migrate.status(db, list)).current)
      db:close()
    end)

    it("keep the rows that both versions can hold, there and back, at every step", function()
      local db = driver.open()
      assert(migrate.to(db, list, 1))
      for name, values in pairs(FIRST) do assert(db:commit { { "INSERT INTO " .. name .. " " .. values } }) end
      local first = rows(db)
      for version = 2, #list do
        assert.equal(version, migrate.to(db, list, version))
        assert.same(first, rows(db, first))
      end
      for version = #list - 1, 1, -1 do
        assert.equal(version, migrate.to(db, list, version))
        assert.same(first, rows(db, first))
      end
      assert.equal(#list, migrate.to(db, list))
      assert.same(first, rows(db, first))
      db:close()
    end)

    it("keep the events that wait to be published, in their order", function()
      local db = driver.open()
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
      local place = driver.place()
      local dbs, hs = {}, {}
      for i = 1, 4 do dbs[i] = driver.open(place) end
      for i = 1, 4 do hs[i] = task.spawn(function() return migrate.to(dbs[i], list) end) end
      for i = 1, 4 do assert.same({ true, #list }, { hs[i]:join() }) end
      for i = 1, 4 do dbs[i]:close() end
    end)

    it("are applied once by commands that are given at the same time", function()
      local place, hs = driver.place(), {}
      local url = driver.name == "sqlite" and "sqlite:" .. place or place
      for i = 1, 5 do
        hs[i] = task.spawn(function()
          return programs.parley({ "migrate", "up", "--home", temp() }, { env = { PARLEY_DATABASE_URL = url } })
        end)
      end
      for i = 1, 5 do
        local r = select(2, assert(hs[i]:join()))
        assert.equal(0, r.code, r.err)
      end
      local db = driver.open(place)
      assert.equal(#list, assert(migrate.status(db, list)).current)
      assert.equal(#list, db:first("SELECT count(*) AS n FROM migrations_info").n)
      db:close()
    end)

    it("refuse a file that was changed after it was applied, and a newer database", function()
      local dir = temp()
      assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (x INTEGER);"))
      assert(fs.write(dir .. "/0001_a.down.sql", "DROP TABLE a;"))
      local db = driver.open()
      assert.equal(1, migrate.to(db, migrate.load(dir)))
      assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (y INTEGER);"))
      local _, err = migrate.to(db, migrate.load(dir))
      assert.equal("migration_changed", err.code)
      _, err = migrate.to(db, {})
      assert.equal("migration_unknown", err.code)
      db:close()
    end)

    it("leave nothing of one that fails, up or down", function()
      local dir = temp()
      assert(fs.write(dir .. "/0001_a.up.sql", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);"))
      assert(fs.write(dir .. "/0001_a.down.sql", "UPDATE a SET x = 2; DROP TABLE a; DROP TABLE nowhere;"))
      assert(fs.write(dir .. "/0002_b.up.sql", "UPDATE a SET x = 3; CREATE TABLE b (x INTEGER); CREATE TABLE b (x INTEGER);"))
      assert(fs.write(dir .. "/0002_b.down.sql", ""))
      local db = driver.open()
      local two = migrate.load(dir)
      local _, err = migrate.to(db, two)
      assert.equal("invalid", err.code)
      assert.same({ "a" }, tables(db))
      assert.equal(1, migrate.status(db, two).current)
      _, err = migrate.to(db, two, 0)
      assert.equal("invalid", err.code)
      assert.same({ { x = 1 } }, db:query "SELECT x FROM a")
      assert.equal(1, migrate.status(db, two).current)
      db:close()
    end)
  end)
end
