-- PostgreSQL that is killed, stopped, made read-only, unsafe or full: nothing that was acknowledged is lost, who
-- asks is told at once, and everything goes on by itself.

local fs = require "host.fs"
local host_postgres = require "host.postgres"
local postgres = require "spec.support.postgres"
local programs = require "spec.support.process"
local task = require "host.task"
local temporary = require "parley.util.temporary"

local server

local function psql(url, sql)
  local r = programs.run { "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url, "-c", sql }
  assert(r.code == 0, r.err)
  return (r.out:gsub("\n$", ""))
end

-- ALTER SYSTEM is one statement, in no transaction. Sessions see it when they begin.
local function configure(setting)
  psql(server.url, "ALTER SYSTEM " .. setting)
  psql(server.url, "SELECT pg_reload_conf()")
end

local function open(options, url)
  local o = { url = url or server.url }
  for k, v in pairs(options or {}) do o[k] = v end
  local db = host_postgres.open(o)
  return db, host_postgres.wait(db)
end

local function refused(options, url)
  local db, ok, err = open(options, url)
  db:close()
  assert.is_nil(ok)
  return err
end

local function back(db)
  return programs.eventually("the database", function()
    return db:commit { { "UPDATE t SET n = n WHERE id = 0" } } and db:first "SELECT 1 AS one"
  end, 20)
end

describe("a PostgreSQL", function()
  setup(function() server = postgres.start() end)
  teardown(function() server:stop() end)
  after_each(function() server:resume() end) -- a case that has failed leaves it to the others
  before_each(function()
    psql(server.url, "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)")
  end)

  it("that is killed keeps every row that was acknowledged, and who cannot know is told so", function()
    local db = assert(open())
    local acked, refusals, unknown, stop = {}, 0, 0, false
    local hs = {}
    for i = 1, 16 do
      hs[i] = task.spawn(function()
        local n = 0
        while not stop do
          n = n + 1
          local id = i * 100000 + n
          local r, err = db:commit { { "INSERT INTO t (id) VALUES ($1)", id } }
          if r then acked[id] = true else
            assert(err.code == "unavailable", err.code .. ": " .. err.message)
            assert(err.retryable)
            if err.message:find "before the commit was confirmed" then unknown = unknown + 1 else refusals = refusals + 1 end
            task.sleep(0.02)
          end
        end
      end)
    end
    for _ = 1, 3 do
      local before = unknown + refusals
      task.sleep(0.2)
      server:kill()
      programs.eventually("a refusal", function() return unknown + refusals > before end)
      server:again()
      back(db)
    end
    stop = true
    for i = 1, 16 do assert(hs[i]:join(30)) end
    assert.is_true(unknown > 0 and refusals > 0)
    local stored = {}
    for i = 1, 16 do
      for _, row in ipairs(assert(db:query("SELECT id FROM t WHERE id / 100000 = $1", i))) do stored[row.id] = true end
    end
    local count = 0
    for id in pairs(acked) do
      count = count + 1
      assert.is_true(stored[id], "acknowledged and lost: " .. id)
    end
    assert.is_true(count > 16)
    assert.is_true(db:stats().reconnects > 0)
    db:close()
  end)

  it("that is not there yet is found when it comes", function()
    server:kill()
    local db, ok, err = open()
    assert.is_nil(ok)
    assert.equal("unavailable", err.code)
    assert.is_true(err.retryable)
    server:again()
    programs.eventually("a connection", function() return db:stats().connected == 4 end)
    -- All is well when it is waited for.
    assert.is_true((host_postgres.wait(db)))
    back(db)
    db:close()
  end)

  it("that stops answers nobody, refuses at once, and is used again when it goes on", function()
    local db = open { stall_ms = 300 }
    back(db)
    server:pause()
    local read = task.spawn(function() return db:query "SELECT 1" end)
    local write = task.spawn(function() return db:commit { { "INSERT INTO t (id) VALUES (1)" } } end)
    local late = task.spawn(function()
      task.deadline(0.5)
      return db:commit { { "INSERT INTO t (id) VALUES (2)" } }
    end)
    local _, _, err = read:join(60)
    assert.equal("unavailable", err.code)
    assert.equal("timeout", select(3, late:join(60)).code)
    programs.eventually("that commits are refused", function()
      local h = task.spawn(function()
        task.deadline(5)
        return db:commit { { "INSERT INTO t (id) VALUES (3)" } }
      end)
      local _, r, e = h:join()
      return not r and e.code == "unavailable"
    end)
    -- Whoever asks has no time limit near: it is the driver that says no.
    for _ = 1, 20 do
      assert.equal("unavailable", select(2, db:query "SELECT 1").code)
      assert.equal("unavailable", select(2, db:commit { { "SELECT 1" } }).code)
    end
    -- The threads that everybody shares are free.
    for _ = 1, 8 do assert(fs.mkdir(assert(temporary.folder()) .. "/x")) end
    server:resume()
    back(db)
    assert.truthy(select(2, write:join(20)))
    db:close()
  end)

  it("that is closed while it is stopped lets the host go", function()
    local db = open { stall_ms = 300 }
    back(db)
    server:pause()
    local write = task.spawn(function() return db:commit { { "INSERT INTO t (id) VALUES (1)" } } end)
    task.sleep(0.05)
    db:close()
    local _, r, err = write:join(60)
    assert.is_nil(r)
    assert.equal("unavailable", err.code)
    server:resume()
  end)

  it("that takes no writes any more is told, and found again", function()
    local db = open { writers = 1, readers = 1 }
    local hold = open()
    back(db)
    configure "SET default_transaction_read_only = on"
    local seen = {}
    programs.eventually("a refusal", function()
      local _, err = db:commit { { "UPDATE t SET n = n" } }
      if err then seen[err.code] = true end
      return err
    end)
    for _ = 1, 5 do
      local _, err = db:commit { { "INSERT INTO t (id) VALUES (1)", expect = 1 } }
      seen[err and err.code or "stored"] = true
      task.sleep(0.05)
    end
    seen.read_only, seen.unavailable = nil, nil
    assert.is_nil(next(seen))
    assert.equal("unavailable", refused().code)
    psql(server.url .. "&options=-cdefault_transaction_read_only%3Doff", "ALTER SYSTEM RESET default_transaction_read_only")
    psql(server.url, "SELECT pg_reload_conf()")
    back(db)
    hold:close()
    db:close()
  end)

  it("that may lose what it has confirmed is refused, unless that is wanted", function()
    for _, setting in ipairs { "fsync", "full_page_writes" } do
      configure("SET " .. setting .. " = off")
      programs.eventually("the setting", function() return psql(server.url, "SHOW " .. setting) == "off" end)
      local err = refused()
      assert.equal("unsafe", err.code)
      assert.matches(setting .. "=off", err.message, 1, true)
      assert.is_false(err.retryable)
      local db, ok = open { unsafe = true }
      assert.is_true(ok)
      db:close()
      configure("RESET " .. setting)
      programs.eventually("the setting", function() return psql(server.url, "SHOW " .. setting) == "on" end)
    end
    -- This one can be set by the session itself.
    local db = open(nil, server.url .. "&options=-csynchronous_commit%3Doff")
    assert.same({ value = "on" }, db:first "SELECT current_setting('synchronous_commit') AS value")
    db:close()
  end)

  it("whose connections are all taken serves with those that there are", function()
    psql(server.url, "ALTER SYSTEM SET max_connections = 12")
    server:kill()
    server:again()
    local greedy = open { writers = 16, readers = 16 }
    programs.eventually("that there are no more", function() return greedy:stats().connected >= 12 end)
    local db, ok, err = open()
    assert.is_nil(ok)
    assert.equal("unavailable", err.code)
    assert.matches("too many clients", err.message)
    greedy:close()
    programs.eventually("its turn", function() return db:stats().connected == 4 end)
    back(db)
    db:close()
    psql(server.url, "ALTER SYSTEM RESET max_connections")
    server:kill()
    server:again()
  end)

  it("ends sessions, and work goes on", function()
    local db = open()
    local stop, failed, done = false, 0, 0
    local h = task.spawn(function()
      while not stop do
        local r, err = db:commit { { "UPDATE t SET n = n WHERE id = 0" } }
        if r then done = done + 1 else
          assert(err.code == "unavailable", err.code .. ": " .. err.message)
          failed = failed + 1
          task.sleep(0.01)
        end
      end
    end)
    for i = 1, 5 do
      psql(server.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        .. "WHERE application_name = 'parley' AND pid <> pg_backend_pid()")
      programs.eventually("another connection", function() return db:stats().reconnects >= i end)
    end
    local before = done
    programs.eventually("work", function() return done > before + 10 end)
    stop = true
    assert(h:join(60))
    assert.is_true(db:stats().reconnects >= 4)
    db:close()
  end)
end)

describe("TLS to PostgreSQL", function()
  local dir

  local function openssl(...)
    local r = programs.run { "openssl", ... }
    assert(r.code == 0, r.err)
  end

  local function certificate(name)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=" .. name, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", dir .. "/" .. name .. ".key",
      "-out", dir .. "/" .. name .. ".crt")
  end

  setup(function()
    server = postgres.start()
    dir = assert(temporary.folder())
    certificate "server"
    certificate "other"
    for _, ending in ipairs { "key", "crt" } do
      local to = ("%s/data/server.%s"):format(server.dir, ending)
      assert(programs.run({ "cp", dir .. "/server." .. ending, to }).code == 0)
      assert(programs.run({ "chown", "--reference=" .. server.dir .. "/data", to }).code == 0)
      assert(programs.run({ "chmod", "600", to }).code == 0)
    end
    configure "SET ssl = on"
  end)
  teardown(function() server:stop() end)

  local function with(root, mode)
    return ("%s?sslmode=%s&sslrootcert=%s/%s.crt"):format(server.tcp_url, mode or "verify-full", dir, root)
  end

  it("is spoken when the certificate is the one that is expected", function()
    local db, ok, err = open(nil, with "server")
    assert.is_true(ok, err and err.message)
    assert.same({ ssl = 1 }, db:first "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    local hs = {}
    for i = 1, 200 do
      hs[i] = task.spawn(function()
        return db:first("SELECT length($1::text) AS n", ("x"):rep(i * 100))
      end)
    end
    for i = 1, 200 do assert.same({ n = i * 100 }, (select(2, hs[i]:join()))) end
    db:close()
  end)

  it("is not spoken with anybody else", function()
    local err = refused(nil, with "other")
    assert.equal("unavailable", err.code)
    assert.matches("certificate verify failed", err.message)
    err = refused(nil, (with("server"):gsub("127%.0%.0%.1", "localhost")))
    assert.matches("does not match host name", err.message)
    local db, ok = open(nil, with("other", "require"):gsub("&sslrootcert=[^&]*", ""))
    assert.is_true(ok)
    db:close()
  end)

  it("that the server has not is not done without", function()
    configure "SET ssl = off"
    programs.eventually("the setting", function() return psql(server.url, "SHOW ssl") == "off" end)
    local err = refused(nil, with "server")
    assert.equal("unavailable", err.code)
    assert.matches("does not support SSL", err.message)
    configure "SET ssl = on"
  end)
end)
