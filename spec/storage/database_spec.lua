-- What every database does, whichever driver is behind it.

local drivers = require "spec.support.drivers"
local json = require "host.json"
local task = require "host.task"

local TABLE = "CREATE TABLE t (id ${int} PRIMARY KEY, name TEXT UNIQUE, n ${real}) ${strict}"

local function in_parallel(n, f)
  local hs = {}
  for i = 1, n do hs[i] = task.spawn(function() return f(i) end) end
  for i = 1, n do
    local ok, err = hs[i]:join()
    assert(ok, err)
  end
end

for _, driver in ipairs(drivers.both) do
  local function with_table(options)
    local place = driver.place()
    local db = driver.open(place, options)
    assert(db:script(drivers.sql(driver, TABLE)))
    return db, place
  end

  local function count(db) return db:first("SELECT count(*) AS n FROM t").n end

  describe(driver.name .. ": a transaction", function()
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

    it("keeps integers to 2^53, booleans as numbers, null and text of any length", function()
      local db = with_table()
      assert(db:commit {
        { "INSERT INTO t (id, name) VALUES ($1, $2)", 9007199254740992, ("ü"):rep(100000) },
        { "INSERT INTO t (id, name) VALUES ($1, $2)", -9007199254740992, "" },
        { "INSERT INTO t (id, name, n) VALUES ($1, $2, $3)", true, json.null, 1e300 },
      })
      assert.same({
        { id = -9007199254740992, name = "" },
        { id = 1, n = 1e300 },
        { id = 9007199254740992, name = ("ü"):rep(100000) },
      }, db:query "SELECT * FROM t ORDER BY id")
      db:close()
    end)

    it("fails alone in its group", function()
      local db = with_table()
      local results = {}
      in_parallel(50, function(i)
        local name = i % 10 == 0 and "same" or "n" .. i
        results[i] = { db:commit { { "INSERT INTO t (id, name) VALUES ($1, $2)", i, name } } }
      end)
      local good = 0
      for i = 1, 50 do
        if results[i][1] then good = good + 1 else
          assert.equal(0, i % 10)
          assert.equal("unique", results[i][2].code)
          assert.equal(1, results[i][2].statement)
        end
      end
      assert.equal(46, good)
      assert.equal(46, count(db))
      local stats = db:stats()
      assert.is_true(stats.groups < stats.transactions)
      db:close()
    end)

    it("fails alone and whole, whatever is wrong with it, and the others happen once", function()
      local db = with_table()
      assert(db:commit { { "INSERT INTO t (id, n) VALUES (0, 0)" } })
      local many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) SELECT x FROM c"
      local wrong = {
        conflict = { "UPDATE t SET n = 1 WHERE id = 99", expect = 1 },
        unique = { "INSERT INTO t (id, n) VALUES (0, 1)" },
        constraint = { "INSERT INTO t (id) VALUES (NULL)" },
        invalid = { "SELEC 1" },
        too_large = { many },
      }
      if driver.name == "sqlite" then wrong.constraint = { "INSERT INTO t (id, n) VALUES (3, 'text')" } end
      for code, statement in pairs(wrong) do
        local before = db:first("SELECT n FROM t WHERE id = 0").n
        local failed
        in_parallel(40, function(i)
          local add = { "UPDATE t SET n = n + 1 WHERE id = 0" }
          if i ~= 20 then
            assert(db:commit { add })
            return
          end
          local r, err = db:commit { { "UPDATE t SET n = n + 1000 WHERE id = 0" }, statement }
          assert.is_nil(r)
          failed = err
        end)
        assert.equal(code, failed.code, failed.message)
        assert.equal(2, failed.statement, code)
        assert.equal(before + 39, db:first("SELECT n FROM t WHERE id = 0").n, code)
      end
      db:close()
    end)

    it("rolls back whole when one statement changes other than expected", function()
      local db = with_table()
      for _, update in ipairs {
        "UPDATE t SET n = 1 WHERE id = 99", "UPDATE t SET n = 1 WHERE id = 99 RETURNING id",
        "UPDATE t SET n = 1 WHERE id = 99\nRETURNING\nid",
      } do
        local r, err = db:commit { { "INSERT INTO t (id) VALUES (1)" }, { update, expect = 1 } }
        assert.is_nil(r)
        assert.equal("conflict", err.code, err.message)
        assert.equal(2, err.statement)
        assert.equal(0, count(db))
      end
      assert(db:commit { { "INSERT INTO t (id) VALUES (1)", expect = 1 }, { "DELETE FROM t WHERE id = 2", expect = 0 } })
      assert.equal(1, count(db))
      db:close()
    end)

    it("names what went wrong", function()
      local db = with_table()
      local function code(...) return select(2, db:commit { { ... } }).code end
      assert.equal("invalid", code "SELEC 1")
      assert.equal("invalid", code "INSERT INTO nowhere VALUES (1)")
      assert.equal("invalid", code "")
      assert.equal("invalid", code "SELECT 1; SELECT 2")
      assert.equal("invalid", select(2, db:query "SELEC 1").code)
      assert.equal("invalid", select(2, db:query "").code)
      assert.equal("invalid", select(2, db:query("SELECT id FROM t WHERE id = $2", 1)).code)
      assert.has_error(function() db:commit {} end)
      assert.has_error(function() db:commit { { 1 } } end)
      assert.has_error(function() db:commit { { "SELECT $1", {} } } end)
      db:close()
    end)

    it("writes, and a read does not", function()
      local db = with_table()
      local _, err = db:query "INSERT INTO t (id) VALUES (1)"
      assert.equal("read_only", err.code)
      _, err = db:first "INSERT INTO t (id) VALUES (1) RETURNING id"
      assert.equal("read_only", err.code)
      assert.equal(0, count(db))
      db:close()
    end)

    it("is refused when too many wait, and the others are kept", function()
      local db = with_table { queue_max = 8 }
      local ok, busy = 0, 0
      in_parallel(200, function(i)
        local r, err = db:commit { { "INSERT INTO t (id) VALUES ($1)", i } }
        if r then ok = ok + 1 else
          assert.equal("busy", err.code)
          assert.is_true(err.retryable)
          busy = busy + 1
        end
      end)
      assert.is_true(busy > 0 and ok >= 8)
      assert.equal(ok, count(db))
      db:close()
    end)

    it("takes rows that are appended together with those of others", function()
      local db = with_table()
      local failed = 0
      in_parallel(300, function(i)
        local statements = {}
        for k = 1, i % 4 + 1 do
          local id = i % 50 == 0 and 0 or i * 10 + k
          statements[k] = { "INSERT INTO t (id, name, n) VALUES ($1, 'it''s $1', $2), ($3, $4, 0)", id, i, -i * 10 - k,
            "n" .. i * 10 + k, append = true }
        end
        for _, s in ipairs(statements) do s[1] = s[1]:gsub("'it''s $1'", "'it''s $1 ' || $4") end
        local r, err = db:commit(statements)
        if r then
          for _, one in ipairs(r) do assert.equal(2, one.changes) end
        else
          assert.equal("unique", err.code, err.message)
          failed = failed + 1
        end
      end)
      local rows = 0
      for i = 1, 300 do rows = rows + (i % 50 == 0 and 0 or 2 * (i % 4 + 1)) end
      -- Of those who add a row 0, one that adds it once may be first.
      local zero = db:first "SELECT n FROM t WHERE id = 0"
      assert.equal(rows + (zero and 2 * (zero.n % 4 + 1) or 0), count(db))
      assert.equal(zero and 5 or 6, failed)
      db:close()
    end)
  end)

  describe(driver.name .. ": a database", function()
    it("that is closed has kept exactly what it has acknowledged", function()
      local db, place = with_table()
      local acked, closed = 0, 0
      local hs = {}
      for i = 1, 100 do
        hs[i] = task.spawn(function()
          local r, err = db:commit { { "INSERT INTO t (id) VALUES ($1)", i } }
          if r then acked = acked + 1 else
            assert.equal("closed", err.code)
            closed = closed + 1
          end
        end)
      end
      task.sleep(0)
      db:close()
      for i = 1, 100 do assert(hs[i]:join()) end
      assert.equal(100, acked + closed)
      -- A server may be far away: what was not sent is not waited for.
      if driver.name == "sqlite" then assert.equal(0, closed) end
      local again = driver.open(place)
      assert.equal(acked, count(again))
      again:close()
      assert.has_error(function() db:query "SELECT 1" end, "the database is closed")
    end)

    it("caps a result", function()
      local db = driver.open()
      local rows, err = db:query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) "
        .. "SELECT x FROM c")
      assert.is_nil(rows)
      assert.equal("too_large", err.code)
      db:close()
    end)

    it("knows a table that has another column now", function()
      local db = with_table()
      assert(db:commit { { "INSERT INTO t (id) VALUES (1)" } })
      for _ = 1, 8 do assert(db:first "SELECT * FROM t") end
      assert(db:script "ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")
      in_parallel(8, function() assert.same({ id = 1, more = "x" }, (assert(db:first "SELECT * FROM t"))) end)
      assert.same({ { id = 1, more = "x" } },
        assert(db:commit { { "UPDATE t SET n = NULL WHERE id = 1 RETURNING *" } })[1].rows)
      assert(db:script "ALTER TABLE t DROP COLUMN more")
      assert.same({ { id = 1 } }, assert(db:commit { { "UPDATE t SET n = NULL WHERE id = 1 RETURNING *" } })[1].rows)
      db:close()
    end)

    it("runs more texts than it keeps prepared", function()
      local db = with_table()
      assert(db:commit { { "INSERT INTO t (id) VALUES (1)" } })
      in_parallel(3000, function(i)
        local sql = ("SELECT id + %d AS n FROM %s"):format(i, i % 3 == 0 and "nowhere" or "t")
        local row, err = db:first(sql)
        if i % 3 == 0 then
          assert.equal("invalid", (err or {}).code)
        else
          assert.same({ n = i + 1 }, row, err and err.message)
        end
      end)
      in_parallel(1500, function(i)
        local r, err = db:commit { { ("UPDATE %s SET n = %d WHERE id = 1"):format(i % 100 == 0 and "nowhere" or "t", i) } }
        assert.equal(i % 100 == 0 and "invalid" or "", r and "" or err.code)
      end)
      assert.same({ id = 1, n = 1 }, db:first("SELECT id, $1 + 0 AS n FROM t", 1))
      db:close()
    end)
  end)
end
