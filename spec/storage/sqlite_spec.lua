-- What only the embedded database does; what every database does is in database_spec.lua.

local sqlite = require "host.sqlite"
local task = require "host.task"
local json = require "host.json"

local function temp()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function open(opts)
  opts = opts or {}
  opts.path = opts.path or temp()
  local db = assert(sqlite.open(opts))
  return db, opts.path
end

local function with_table(opts)
  local db, path = open(opts)
  assert(db:script "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n REAL) STRICT")
  return db, path
end

describe("a transaction", function()
  it("numbers its parameters as PostgreSQL does", function()
    local db = with_table()
    assert.same({ { a = 3, b = 1, c = 3 } }, db:query("SELECT $3 AS a, $1 AS b, $3 AS c, $2 AS d", 1, json.null, 3))
    local _, err = db:query("SELECT $2", 1)
    assert.matches("has %$2, but 1 parameters", err.message)
    _, err = db:query("SELECT :x", 1)
    assert.matches("written %$1", err.message)
    db:close()
  end)

  it("keeps integers to 2^53 and text with zero bytes", function()
    local db = with_table()
    local row = db:first("SELECT $1 AS i, $2 AS s, $3 AS t, $4 AS f", 9007199254740992, "a\0b", true, "")
    assert.same({ i = 9007199254740992, s = "a\0b", t = 1, f = "" }, row)
    db:close()
  end)

  it("keeps values of other types than their columns out", function()
    local db = with_table()
    local _, err = db:commit { { "INSERT INTO t (id, n) VALUES (1, 'text')" } }
    assert.equal("constraint", err.code)
    db:close()
  end)
end)

describe("a full disk", function()
  it("is a clear error for everybody in the group, and no false acknowledgement", function()
    local db = with_table { pages_max = 40 }
    local acked, hs, codes = {}, {}, {}
    for i = 1, 100 do
      hs[i] = task.spawn(function()
        local r, err = db:commit { { "INSERT INTO t (id, name) VALUES ($1, $2)", i, ("x"):rep(4000) .. i } }
        if r then acked[i] = true else codes[err.code] = true end
      end)
    end
    for i = 1, 100 do hs[i]:join() end
    assert.same({ disk_full = true }, codes)
    local rows = db:query "SELECT id FROM t"
    for _, row in ipairs(rows) do
      assert.is_true(acked[row.id])
      acked[row.id] = nil
    end
    assert.is_nil(next(acked))
    assert(db:commit { { "DELETE FROM t" } })
    assert(db:commit { { "INSERT INTO t (id) VALUES (1)" } })
    db:close()
  end)
end)

describe("a database", function()
  it("that somebody else locks is busy, not lost", function()
    local db, path = with_table { busy_ms = 20 }
    local other = open { path = path }
    local release = task.cond()
    local h = task.spawn(function()
      -- a long read-write transaction of the other process's writer
      return other:script("BEGIN")
    end)
    h:join()
    release:broadcast()
    assert(db:commit { { "INSERT INTO t (id) VALUES (1)" } })
    assert.equal(1, other:first("SELECT count(*) AS n FROM t").n)
    other:close()
    db:close()
  end)

  it("that is not one is refused when it is opened", function()
    local path = temp()
    local f = io.open(path, "wb")
    f:write(("not a database "):rep(100))
    f:close()
    local db, err = sqlite.open { path = path }
    assert.is_nil(db)
    assert.equal("corrupt", err.code)
    db, err = sqlite.open { path = "/nonexistent/x.db" }
    assert.is_nil(db)
    assert.equal("permission", err.code)
    db, err = sqlite.open { path = temp(), create = false }
    assert.is_nil(db)
    assert.equal("permission", err.code)
  end)

end)
