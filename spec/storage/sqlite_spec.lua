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
  it("is read back by every reader once it is acknowledged", function()
    local db = with_table()
    local r = assert(db:commit {
      { "INSERT INTO t (id, name, n) VALUES ($1, $2, $3), ($4, $5, $6)", 1, "a", 0.5, 2, "b", n = 6 },
      { "UPDATE t SET n = $2 WHERE id = $1 RETURNING id, n", 1, 7.25 },
    })
    assert.equal(2, r[1].changes)
    assert.same({ { id = 1, n = 7.25 } }, r[2].rows)
    assert.same({ { id = 1, name = "a", n = 7.25 }, { id = 2, name = "b" } }, db:query "SELECT * FROM t ORDER BY id")
    assert.same({ name = "b" }, db:first("SELECT name FROM t WHERE id = $1", 2))
    assert.is_nil(db:first("SELECT name FROM t WHERE id = $1", 3))
    db:close()
  end)

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

  it("fails alone in its group", function()
    local db = with_table()
    local results, done = {}, {}
    for i = 1, 50 do
      done[i] = task.spawn(function()
        local name = i % 10 == 0 and "same" or "n" .. i
        results[i] = { db:commit { { "INSERT INTO t (id, name) VALUES ($1, $2)", i, name } } }
      end)
    end
    for i = 1, 50 do done[i]:join() end
    local good = 0
    for i = 1, 50 do
      if results[i][1] then good = good + 1 else
        assert.equal(0, i % 10)
        assert.equal("unique", results[i][2].code)
        assert.equal(1, results[i][2].statement)
      end
    end
    assert.equal(46, good)
    assert.equal(46, db:first("SELECT count(*) AS n FROM t").n)
    local stats = db:stats()
    assert.is_true(stats.groups < stats.transactions)
    db:close()
  end)

  it("rolls back whole when one statement changes other than expected", function()
    local db = with_table()
    local r, err = db:commit {
      { "INSERT INTO t (id) VALUES (1)" },
      { "UPDATE t SET n = 1 WHERE id = 99", expect = 1 },
    }
    assert.is_nil(r)
    assert.equal("conflict", err.code)
    assert.equal(2, err.statement)
    assert.equal(0, db:first("SELECT count(*) AS n FROM t").n)
    db:close()
  end)

  it("names what went wrong", function()
    local db = with_table()
    local function code(...) return select(2, db:commit { { ... } }).code end
    assert.equal("invalid", code "SELEC 1")
    assert.equal("invalid", code "INSERT INTO nowhere VALUES (1)")
    assert.equal("constraint", code "INSERT INTO t (id, n) VALUES (1, 'text')")
    assert.equal("invalid", code "")
    assert.has_error(function() db:commit {} end)
    assert.has_error(function() db:commit { { 1 } } end)
    assert.has_error(function() db:commit { { "SELECT $1", {} } } end)
    local _, err = db:query "INSERT INTO t (id) VALUES (1)"
    assert.equal("readonly", err.code)
    db:close()
  end)

  it("is refused when too many wait, and the others are kept", function()
    local db = with_table { queue_max = 8 }
    local ok, busy, hs = 0, 0, {}
    for i = 1, 200 do
      hs[i] = task.spawn(function()
        local r, err = db:commit { { "INSERT INTO t (id) VALUES ($1)", i } }
        if r then ok = ok + 1 else
          assert.equal("busy", err.code)
          assert.is_true(err.retryable)
          busy = busy + 1
        end
      end)
    end
    for i = 1, 200 do assert.is_true((hs[i]:join())) end
    assert.is_true(busy > 0 and ok >= 8)
    assert.equal(ok, db:first("SELECT count(*) AS n FROM t").n)
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

  it("finishes what is queued when it is closed", function()
    local db, path = with_table()
    local hs = {}
    for i = 1, 100 do
      hs[i] = task.spawn(function() return db:commit { { "INSERT INTO t (id) VALUES ($1)", i } } end)
    end
    task.sleep(0)
    db:close()
    local acked = 0
    for i = 1, 100 do if select(2, hs[i]:join()) then acked = acked + 1 end end
    local again = open { path = path }
    assert.equal(acked, again:first("SELECT count(*) AS n FROM t").n)
    assert.equal(100, acked)
    again:close()
    assert.has_error(function() db:query "SELECT 1" end, "the database is closed")
  end)

  it("caps a result", function()
    local db = open()
    local rows, err = db:query "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 30000) SELECT x FROM c"
    assert.is_nil(rows)
    assert.equal("too_large", err.code)
    db:close()
  end)
end)
