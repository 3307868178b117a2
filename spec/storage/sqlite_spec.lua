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

describe("an urgent transaction", function()
  -- Has the writer busy while `submit` hands transactions in, so that all `n` of them wait.
  local function while_busy(db, n, submit)
    local rows = 1e5
    repeat
      rows = rows * 4
      assert(db:commit { { "DELETE FROM t" } })
      local busy = task.spawn(function()
        return db:script("CREATE TEMP TABLE x AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
          .. ("WHERE n < %d) SELECT max(n) AS n FROM c; DROP TABLE x"):format(rows))
      end)
      local waiting = 0
      local tasks = submit()
      table.insert(tasks, task.spawn(function() waiting = db:stats().queued end))
      for _, one in ipairs(tasks) do assert(one:join()) end
      assert(busy:join())
    until waiting >= n
  end

  it("goes before those that wait, and its caller before theirs", function()
    local db = with_table()
    local done
    local function insert(name, urgent)
      return task.spawn(function()
        assert(db:commit { { "INSERT INTO t (name) VALUES ($1)", name }, urgent = urgent })
        done[#done + 1] = name
      end)
    end
    while_busy(db, 42, function()
      done = {}
      local tasks = {}
      for i = 1, 40 do tasks[i] = insert("other " .. i) end
      tasks[41], tasks[42] = insert("urgent 1", true), insert("urgent 2", true)
      return tasks
    end)
    local rows = db:query "SELECT name FROM t ORDER BY id"
    assert.same({ "urgent 1", "urgent 2", "other 1" }, { rows[1].name, rows[2].name, rows[3].name })
    assert.equal("other 40", rows[42].name)
    assert.same({ "urgent 1", "urgent 2", "other 1" }, { done[1], done[2], done[3] })
    db:close()
  end)

  it("that fails leaves the others of its group as they are", function()
    local db = with_table()
    local failed
    while_busy(db, 3, function()
      local function insert(name, urgent)
        return task.spawn(function() return db:commit { { "INSERT INTO t (name) VALUES ($1)", name }, urgent = urgent } end)
      end
      return {
        insert "a", insert("b", true), task.spawn(function()
          local _, err = db:commit { { "INSERT INTO t (name) VALUES ('c')" }, { "INSERT INTO t (name) VALUES ('b')" },
            urgent = true }
          failed = err.code
          return true
        end),
      }
    end)
    assert.equal("unique", failed)
    assert.same({ { name = "b" }, { name = "a" } }, db:query "SELECT name FROM t ORDER BY id")
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

describe("the log of what is committed", function()
  -- Two numbers by chance that are new with each beginning (https://www.sqlite.org/fileformat2.html#walformat).
  local function salts(path)
    local f = assert(io.open(path .. "-wal", "rb"))
    local head = f:read(24)
    f:close()
    return head:sub(17)
  end

  it("begins anew while commits go on", function()
    local db, path = with_table()
    local first, pages, rows = salts(path), 0, 0
    while salts(path) == first do
      assert.is_true(pages < 34000, "it only grows")
      local row = { "INSERT INTO t (name) VALUES ($1 || ((SELECT count(*) FROM t) + 1))", ("x"):rep(40000) }
      assert(db:commit { row, row })
      pages, rows = pages + 20, rows + 2
    end
    assert.equal(rows, db:first("SELECT count(*) AS n FROM t").n)
    db:close()
    local again = open { path = path }
    assert.equal("ok", again:first("PRAGMA integrity_check").integrity_check)
    assert.equal(rows, again:first("SELECT count(*) AS n FROM t").n)
    again:close()
  end)

  it("waits for who still reads what was before", function()
    local db, path = with_table()
    local first = salts(path)
    local reader = open { path = path }
    local reading = task.spawn(function()
      return reader:first [[
        WITH RECURSIVE count(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM count WHERE i < 3000000)
        SELECT max(i) AS i, (SELECT count(*) FROM t) AS n FROM count]]
    end)
    local row = { "INSERT INTO t (name) VALUES ($1 || ((SELECT count(*) FROM t) + 1))", ("x"):rep(40000) }
    for _ = 1, 300 do assert(db:commit { row, row }) end
    assert(reading:join(60))
    for _ = 1, 2000 do
      if salts(path) ~= first then break end
      assert(db:commit { row, row })
    end
    assert.not_equal(first, salts(path))
    reader:close()
    db:close()
  end)
end)
