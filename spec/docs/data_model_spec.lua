-- docs/data-model.md, held to the schema that the migrations make on both databases, and to the keys that a host
-- leaves in Redis.

local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local migrate = require "parley.store.migrate"
local postgres = require "host.postgres"
local redis = require "host.redis"
local servers = require "spec.support.redis"
local sqlite = require "host.sqlite"

local PAGE = "docs/data-model.md"
local URL = fs.getenv "PARLEY_SPEC_POSTGRES_URL"

-- What a set lacks and what it has too much, as text: so that a failure says which.
local function difference(real, page)
  local out = {}
  for name in pairs(real) do if not page[name] then out[#out + 1] = "not on the page: " .. name end end
  for name in pairs(page) do if not real[name] then out[#out + 1] = "only on the page: " .. name end end
  table.sort(out)
  return table.concat(out, "\n")
end

-- The names in code quotes of a line's first cell, or before its colon.
local function names(cell, fn)
  for name in cell:gmatch "`([^`]+)`" do fn(name) end
end

-- columns: "table.column"; indexes: "table.index"; keys: of Redis.
local function read_page()
  local columns, indexes, keys, section, of_redis = {}, {}, {}, nil, false
  for line in assert(fs.read(PAGE)):gmatch "(.-)\n" do
    local title = line:match "^## (.+)$"
    if title then section, of_redis = nil, title == "Redis" end
    section = line:match "^### ([%w_]+)$" or section
    local cell = line:match "^| (`.-) |"
    if cell and section then
      names(cell, function(name)
        local key = section .. "." .. name
        assert(not columns[key], key .. " stands twice")
        columns[key] = true
      end)
    elseif cell and of_redis then
      names(cell, function(name) keys[name] = true end)
    end
    local index = section and line:match "^%- `([%w_]+)` [(]"
    if index then indexes[section .. "." .. index] = true end
  end
  return columns, indexes, keys
end

local function of_rows(rows, err)
  local out = {}
  for _, row in ipairs(assert(rows, err and err.message)) do out[row.name] = true end
  return out
end

local function on_sqlite()
  local path = os.tmpname()
  local db = assert(sqlite.open { path = path })
  assert(migrate.to(db, assert(migrate.load(fs.data_dir() .. "/migrations/sqlite"))))
  local columns = of_rows(db:query [[SELECT m.name || '.' || c.name AS name FROM sqlite_master m
    JOIN pragma_table_info(m.name) c ON 1 = 1 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%']])
  local indexes = of_rows(db:query [[SELECT tbl_name || '.' || name AS name FROM sqlite_master
    WHERE type = 'index' AND sql IS NOT NULL]])
  db:close()
  os.remove(path)
  return columns, indexes
end

local function on_postgres()
  local schema = "data_model_page"
  local function open(url)
    local db = postgres.open { url = url, writers = 1, readers = 1 }
    assert(postgres.wait(db))
    return db
  end
  local admin = open(URL)
  assert(admin:script(("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s"):format(schema, schema)))
  local db = open(URL .. "&options=-csearch_path%3D" .. schema)
  assert(migrate.to(db, assert(migrate.load(fs.data_dir() .. "/migrations/postgres"))))
  local columns = of_rows(admin:query([[SELECT table_name || '.' || column_name AS name
    FROM information_schema.columns WHERE table_schema = $1]], schema))
  local indexes = of_rows(admin:query([[SELECT tablename || '.' || indexname AS name FROM pg_indexes
    WHERE schemaname = $1 AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = indexname
      AND c.connamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2))]], schema, schema))
  db:close()
  assert(admin:script(("DROP SCHEMA %s CASCADE"):format(schema)))
  admin:close()
  return columns, indexes
end

describe(PAGE, function()
  local columns, indexes, keys
  setup(function() columns, indexes, keys = read_page() end)

  it("has every table, column and index of SQLite, and no other", function()
    local real_columns, real_indexes = on_sqlite()
    assert.equal("", difference(real_columns, columns))
    assert.equal("", difference(real_indexes, indexes))
  end)

  it("has every table, column and index of PostgreSQL, and no other", function()
    assert(URL, "PARLEY_SPEC_POSTGRES_URL is not set: tools/test " .. PAGE:gsub("%.md$", "") .. " starts a server")
    local real_columns, real_indexes = on_postgres()
    assert.equal("", difference(real_columns, columns))
    assert.equal("", difference(real_indexes, indexes))
  end)

  it("would find what is missing", function()
    assert.equal("not on the page: users.id\nonly on the page: users.nickname",
      difference({ ["users.id"] = true, ["users.role"] = true }, { ["users.nickname"] = true, ["users.role"] = true }))
  end)

  -- A key of the page as a pattern: what stands in braces is anything.
  local function pattern_of(name) return "^" .. name:gsub("%p", "%%%0"):gsub("%%{.-%%}", ".+") .. "$" end

  it("has every key that a host leaves in Redis, and no other", function()
    local server = servers.start()
    local limit = "{ requests = 1000, seconds = 60 }"
    local h = host.start { config = ([[return { redis_url = %q, rate_limits = { user = %s, bot = %s, plugin = %s } }]])
      :format(server.url, limit, limit, limit) }
    h:say("d", "/echo hi")
    h:say("other", "/echo hi")
    assert.equal(200, h:request("POST", "/api/v1/dialogs/other/reset", {}).status)
    assert(h.core.db:commit { h.core.shared:fact {
      source = "x", action = "plugin_registered", severity = "info", details = {},
    } })
    local client = assert(redis.open { url = server.url })
    local used, unknown
    pcall(eventually, "all that the page names", function()
      used, unknown = {}, {}
      for _, key in ipairs(assert(client:call("KEYS", "*"))) do
        local found
        for name in pairs(keys) do
          if key:find(pattern_of(name)) then used[name], found = true, true end
        end
        if not found then unknown[key] = true end
      end
      return difference(used, keys) == ""
    end)
    client:close()
    h:stop()
    server:stop()
    assert.equal("", difference(unknown, {}))
    assert.equal("", difference(used, keys))
  end)
end)
