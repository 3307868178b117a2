-- What the PostgreSQL driver does about statements that nobody waits for any more, and about those around them.

local fs = require "host.fs"
local host_postgres = require "host.postgres"
local resolve = require "host.resolve"
local servers = require "spec.support.postgres"
local task = require "host.task"
local wait = require("spec.support.process").eventually

local SERVER = assert(fs.getenv "PARLEY_SPEC_POSTGRES_URL", "PARLEY_SPEC_POSTGRES_URL is not set: run tools/test SPEC")

local function open(url, more)
  local o = { url = url, writers = 1, readers = 1 }
  for k, v in pairs(more or {}) do o[k] = v end
  local db = host_postgres.open(o)
  assert(host_postgres.wait(db))
  return db
end

---Runs f in a task that has so many seconds.
local function within(seconds, f)
  return task.spawn(function()
    task.deadline(seconds)
    return f()
  end)
end

describe("PostgreSQL: a statement that nobody waits for", function()
  it("is stopped, and those that wait behind it are answered", function()
    local db = open(SERVER)
    local slow = within(0.2, function() return db:first "SELECT pg_sleep(60)" end)
    local behind = {}
    for i = 1, 20 do behind[i] = task.spawn(function() return db:first("SELECT $1::bigint AS n", i) end) end
    slow:join()
    for i = 1, 20 do assert.same({ n = i }, select(2, assert(behind[i]:join()))) end
    assert.is_true(db:stats().cancels >= 1)
    db:close()
  end)

  it("leaves the threads to others while the server is stopped", function()
    local server = servers.start()
    local db = open(server.url, { writers = 8, readers = 8, stall_ms = 60000 })
    local asked = {}
    server:pause()
    for i = 1, 64 do
      asked[i] = within(0.2, function()
        if i % 2 == 0 then return db:first "SELECT 1 AS n" end
        return db:commit { { "SELECT 1" } }
      end)
    end
    for i = 1, 64 do asked[i]:join() end
    -- A thread of the pool does this: it would end when the server goes on, which it does not.
    local _, addresses = within(5, function() return resolve.addresses "127.0.0.1" end):join()
    assert.equal("127.0.0.1", addresses and addresses[1].address)
    server:resume()
    wait("the server answers again", function() return db:first "SELECT 1 AS n" end)
    db:close()
    server:stop()
  end)
end)

describe("PostgreSQL: a read", function()
  it("is answered also when the server has forgotten what was prepared", function()
    local db = open(SERVER)
    -- More texts than are kept prepared, so that old ones have to make room.
    local function read(from, to)
      for i = from, to do assert.same({ n = i }, (db:first(("SELECT %d AS n"):format(i)))) end
    end
    read(1, 3000)
    assert(db:query "DEALLOCATE ALL")
    read(3001, 6000)
    db:close()
  end)
end)
