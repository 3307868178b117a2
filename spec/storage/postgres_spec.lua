-- What is PostgreSQL's own, on a server that is well. What every database does is in database_spec.lua, servers
-- that are not well in postgres_server_spec.lua.

local drivers = require "spec.support.drivers"
local host_postgres = require "host.postgres"
local programs = require "spec.support.process"
local task = require "host.task"
local time = require "host.time"

local TABLE = "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, n BIGINT NOT NULL DEFAULT 0)"
local PATIENT = 60000 -- stall_ms: statements may take their time

local function with_table(options)
  local place = drivers.postgres.place()
  local db = drivers.postgres.open(place, options)
  assert(db:script(TABLE))
  return db, place
end

-- What the server runs at the moment, of statements with this in their text.
local function running(db, text)
  return db:first("SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 "
    .. "AND pid <> pg_backend_pid()", "%" .. text .. "%").n
end

local function within(seconds, f)
  return task.spawn(function()
    task.deadline(seconds)
    return f()
  end)
end

describe("a transaction on PostgreSQL", function()
  it("with what its text cannot hold fails alone", function()
    local db = with_table()
    for id, wrong in ipairs { "a\0b", "\xff\xfe" } do
      local outcomes, hs = {}, {}
      for i = 1, 20 do
        hs[i] = task.spawn(function()
          local name = i == 10 and wrong or "fine"
          local r, err = db:commit { { "INSERT INTO t (id, name) VALUES ($1, $2)", id * 100 + i, name, append = true } }
          outcomes[i] = r and "stored" or err.code
        end)
      end
      for i = 1, 20 do assert(hs[i]:join()) end
      for i = 1, 20 do assert.equal(i == 10 and "invalid" or "stored", outcomes[i]) end
    end
    assert.equal("invalid", select(2, db:query("SELECT $1::text AS x", "a\0b")).code)
    local many = {}
    for i = 1, 1001 do many[i] = i end
    assert.equal("invalid", select(2, db:query("SELECT 1", unpack(many))).code)
    db:close()
  end)

  it("finds the rows that it changes with others by their index, also of a table that has grown since", function()
    local db = with_table { writers = 1 }
    local function touch(from, to)
      local hs = {}
      for i = from, to do
        hs[#hs + 1] = task.spawn(function()
          return db:commit { { "UPDATE t SET name = $2 WHERE id = $1", i, "x", expect = 1, join = "bigint text" } }
        end)
      end
      for _, h in ipairs(hs) do assert.truthy(select(2, h:join())) end
    end
    for from = 1, 20001, 5000 do
      assert(db:commit { { "INSERT INTO t (id) SELECT generate_series($1::bigint, $1::bigint + 4999)", from } })
      for k = 0, 9 do touch(from + 50 * k, from + 50 * k + 49) end
    end
    assert(db:commit { { "SELECT pg_stat_force_next_flush()" } })
    local read = "SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE relid = 't'::regclass"
    programs.eventually("the counts of the server", function() return db:first(read).idx_scan >= 2500 end)
    assert.equal(0, db:first(read).seq_tup_read)
    db:close()
  end)

  it("that fails at its commit does so alone, and the connection lives on", function()
    local db = with_table()
    assert(db:script "ALTER TABLE t ADD CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    for _, more in ipairs { {}, { "SELECT 1" }, { "UPDATE t SET n = n WHERE id = 1", expect = 1 } } do
      assert(db:commit { { "DELETE FROM t" } })
      local outcomes, hs = {}, {}
      for i = 1, 20 do
        hs[i] = task.spawn(function()
          local statements = { { "INSERT INTO t (id, name) VALUES ($1, $2)", i, "n" .. i } }
          if i == 1 then
            statements[2] = { "INSERT INTO t (id, name) VALUES (0, 'n1')" }
            statements[3] = more[1] and more or nil
          end
          local r, err = db:commit(statements)
          outcomes[i] = r and "stored" or err.code
        end)
      end
      for i = 1, 20 do assert(hs[i]:join()) end
      for i = 1, 20 do assert.equal(i == 1 and "unique" or "stored", outcomes[i], i) end
      assert.equal(19, db:first("SELECT count(*) AS n FROM t").n)
    end
    assert.equal(0, db:stats().reconnects)
    db:close()
  end)

  it("that meets a deadlock goes again", function()
    local place = drivers.postgres.place()
    local a, b = drivers.postgres.open(place, { stall_ms = PATIENT }), drivers.postgres.open(place, { stall_ms = PATIENT })
    assert(a:script(TABLE))
    assert(a:commit { { "INSERT INTO t (id) VALUES (1), (2)" } })
    local function both(db, first, second)
      return task.spawn(function()
        return db:commit {
          { "UPDATE t SET n = n + 1 WHERE id = $1", first },
          { "SELECT pg_sleep(0.5)" },
          { "UPDATE t SET n = n + 1 WHERE id = $1", second },
        }
      end)
    end
    local x, y = both(a, 1, 2), both(b, 2, 1)
    assert.truthy(select(2, x:join()))
    assert.truthy(select(2, y:join()))
    assert.same({ { n = 2 }, { n = 2 } }, a:query "SELECT n FROM t")
    assert.is_true(a:stats().retried + b:stats().retried > 0)
    a:close()
    b:close()
  end)

  it("that waits for a row too long is busy, and those that came with it are stored before", function()
    local db, place = with_table { writers = 1, stall_ms = PATIENT }
    local other = drivers.postgres.open(place .. "%20-cidle_in_transaction_session_timeout%3D20000")
    assert(db:commit { { "INSERT INTO t (id) VALUES (1), (2), (3)" } })
    local hold = task.spawn(function()
      return other:commit { { "UPDATE t SET n = 10 WHERE id = 2" }, { "SELECT pg_sleep(8)" } }
    end)
    programs.eventually("the lock", function() return running(db, "pg_sleep(8)") == 1 end)
    local outcomes, hs, order = {}, {}, {}
    for i = 1, 3 do
      hs[i] = task.spawn(function()
        local r, err = db:commit { { "UPDATE t SET n = n + 1 WHERE id = $1", i } }
        outcomes[i] = r and "stored" or err.code
        order[#order + 1] = i
      end)
    end
    for i = 1, 3 do assert(hs[i]:join()) end
    assert.same({ "stored", "stored", "stored" }, outcomes)
    assert.equal(2, order[3])
    assert.truthy(select(2, hold:join()))
    other:close()
    db:close()
  end)
end)

describe("what takes too long on PostgreSQL", function()
  it("is stopped on the server when nobody waits any more, and others go on", function()
    local db = with_table { readers = 1, writers = 1, stall_ms = PATIENT }
    assert(db:commit { { "INSERT INTO t (id) VALUES (1)" } })
    local observer = drivers.postgres.open()
    local reads, writes = {}, {}
    for i = 1, 3 do reads[i] = within(0.3, function() return db:query "SELECT pg_sleep(41)" end) end
    local after = task.spawn(function() return db:first "SELECT n FROM t" end)
    writes[1] = within(0.3, function()
      return db:commit { { "UPDATE t SET n = n + 100 WHERE id = 1" }, { "SELECT pg_sleep(42)" } }
    end)
    for i = 2, 5 do
      writes[i] = task.spawn(function() return db:commit { { "UPDATE t SET n = n + 1 WHERE id = 1" } } end)
    end
    for _, h in ipairs(reads) do
      local ok, rows, err = h:join()
      assert.is_true(ok)
      assert.is_nil(rows)
      assert.equal("timeout", err.code)
    end
    assert.equal("timeout", select(3, writes[1]:join()).code)
    for i = 2, 5 do assert.truthy(select(2, writes[i]:join(60))) end
    assert.truthy(select(2, after:join(60)))
    assert.equal(4, db:first("SELECT n FROM t").n)
    programs.eventually("the end of both", function() return running(observer, "pg_sleep(4") == 0 end)
    assert.equal(0, db:stats().reconnects)
    assert.is_true(db:stats().cancels >= 2)
    db:close()
    observer:close()
  end)

  it("is refused when it makes the server look dead, and stopped there", function()
    local db = with_table { readers = 1, stall_ms = 300 }
    local observer = drivers.postgres.open()
    local _, err = db:query "SELECT pg_sleep(43)"
    assert.equal("unavailable", err.code)
    programs.eventually("the end on the server", function() return running(observer, "pg_sleep(43)") == 0 end)
    programs.eventually("the next answer", function() return db:first "SELECT 1 AS one" end)
    db:close()
    observer:close()
  end)
end)

describe("an address of PostgreSQL", function()
  local SECRET = "x7Kq-secret"

  local function refused(url)
    local db = host_postgres.open { url = url }
    local ok, err = host_postgres.wait(db)
    assert.is_nil(ok)
    assert.is_nil(err.message:find(SECRET, 1, true), err.message)
    local _, later = db:query "SELECT 1"
    assert.equal("unavailable", later.code)
    assert.is_nil(later.message:find(SECRET, 1, true), later.message)
    db:close()
    return err
  end

  -- The server asks on the loopback for a password, on its socket for none.
  local function address(user, database)
    local port = drivers.SERVER:match "port=(%d+)"
    return ("postgres://%s:%s@127.0.0.1:%s/%s"):format(user, SECRET, port, database)
  end

  it("with the wrong password or a role that is none is a matter of permission", function()
    for _, user in ipairs { "parley", "nobody" } do
      local err = refused(address(user, "parley"))
      assert.equal("permission", err.code, err.message)
      assert.is_false(err.retryable)
    end
    local err = refused((drivers.SERVER:gsub("parley@", "nobody@")))
    assert.equal("permission", err.code, err.message)
  end)

  it("of a database that is not there says so", function()
    local err = refused((drivers.SERVER:gsub("/parley%?", "/nothing?")))
    assert.equal("not_found", err.code)
    assert.matches("nothing", err.message)
    assert.is_false(err.retryable)
  end)

  it("where nobody listens can be tried again", function()
    local err = refused("postgres://parley:" .. SECRET .. "@127.0.0.1:1/parley")
    assert.equal("unavailable", err.code)
    assert.is_true(err.retryable)
  end)

  it("that cannot be understood is said to be so, without the password", function()
    for _, url in ipairs {
      "postgres://parley:" .. SECRET .. "@[::1/parley", "postgres://parley:" .. SECRET .. "/x@h/parley",
      "postgres://parley:x@" .. SECRET .. "@127.0.0.1/parley", "postgres://parley:a%zz" .. SECRET .. "@h/parley",
      "host=h password=a " .. SECRET, "postgres://parley@h/parley?passwrd=" .. SECRET,
      "postgres://parley@h/parley?" .. SECRET,
    } do
      local err = refused(url)
      assert.equal("invalid", err.code, url .. ": " .. err.message)
      assert.is_false(err.retryable)
    end
  end)
end)

describe("closing PostgreSQL", function()
  it("ends what is under way, once each", function()
    for _, wait in ipairs { 0, 0.001, 0.01, 0.05 } do
      local db, place = with_table()
      local acked, begun, ended, hs = 0, 0, 0, {}
      for i = 1, 60 do
        hs[i] = task.spawn(function()
          local r, err
          begun = begun + 1
          if i % 3 == 0 then r, err = db:query "SELECT pg_sleep(0.02)" else
            r, err = db:commit { { "INSERT INTO t (id) VALUES ($1)", i } }
            if r then acked = acked + 1 end
          end
          assert(r or err.code == "closed", err and err.message)
          ended = ended + 1
        end)
      end
      while begun < 60 do task.sleep(0) end
      task.sleep(wait)
      db:close()
      for i = 1, 60 do assert(hs[i]:join(60)) end
      assert.equal(60, ended)
      local again = drivers.postgres.open(place)
      assert.equal(acked, again:first("SELECT count(*) AS n FROM t").n)
      again:close()
    end
  end)

  it("while it connects, again and again, leaves no connection and no op behind", function()
    local observer = drivers.postgres.open()
    local mark = "closing_" .. time.now_ms()
    local ops = task.stats().ops
    for i = 1, 60 do
      local db = host_postgres.open { url = drivers.SERVER .. "&application_name=" .. mark }
      if i % 3 == 0 then assert(host_postgres.wait(db)) end
      if i % 3 == 1 then task.sleep(0.002) end
      db:close()
    end
    programs.eventually("the end of all sessions", function()
      return observer:first("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1", mark).n == 0
    end)
    assert.equal(ops, task.stats().ops)
    observer:close()
  end)
end)
