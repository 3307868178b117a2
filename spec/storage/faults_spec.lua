-- A database that cannot be written: no turn is acknowledged, the answer says so, and it goes on when the
-- cause is gone. One that cannot be opened: the start is refused with what to do.

local fs = require "host.fs"
local host = require "spec.support.host"
local process = require "host.process"
local serve = require "spec.support.serve"
local task = require "host.task"
local temporary = require "parley.util.temporary"

local function answered(h, id)
  return h:say("d", "/echo " .. id, { message_id = id })
end

describe("a full database", function()
  it("acknowledges nothing that is not stored, and goes on when there is room", function()
    local h = host.start()
    assert.equal(200, answered(h, "m0").status)
    local pages = h.core.db:first("PRAGMA page_count").page_count
    assert(h.core.db:script("PRAGMA max_page_count = " .. pages + 5))
    local refused, n = nil, 0
    repeat
      n = n + 1
      local r = h:say("d", "/echo " .. ("x"):rep(3000), { message_id = "f" .. n })
      if r.status ~= 200 then refused = r end
    until refused or n > 100
    assert.equal(503, refused.status)
    assert.equal("disk_full", refused.body.code)
    assert.truthy(refused.headers["retry-after"])
    assert.equal(n - 1 + 1, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'done'").n)
    assert(h.core.db:script "PRAGMA max_page_count = 1000000")
    local again = h:say("d", "/echo " .. ("x"):rep(3000), { message_id = "f" .. n })
    assert.equal(200, again.status)
    assert.is_nil(again.headers["idempotency-replayed"])
    h:stop()
  end)
end)

describe("a database that cannot be written", function()
  it("is said to be so, and nothing is acknowledged", function()
    local h = host.start()
    assert.equal(200, answered(h, "before").status)
    assert(h.core.db:script "PRAGMA query_only = ON")
    local r = answered(h, "not")
    assert.equal(503, r.status)
    assert.equal("storage_failed", r.body.code)
    assert.truthy(r.headers["retry-after"])
    assert.is_nil(h.core.db:first "SELECT 1 FROM inbox WHERE key = 'not'")
    h:stop()
  end)
end)

describe("a database that another program has locked", function()
  it("is waited for, then refused, then used again", function()
    local h = host.start()
    local file = h.home .. "/data/parley.db"
    local flag = h.home .. "/locked"
    local p = assert(process.spawn { stdin = "pipe", argv = { "python3", "-c", ([[import sqlite3, sys
d = sqlite3.connect("%s", isolation_level=None)
d.execute("BEGIN EXCLUSIVE")
open("%s", "w").close()
sys.stdin.read()
d.execute("ROLLBACK")]]):format(file, flag) } })
    serve.eventually("the lock", function() return fs.exists(flag) end)
    local t = task.spawn(function() return answered(h, "waits") end)
    local _, r = t:join(30)
    assert.equal(503, r.status)
    assert.equal("busy", r.body.code)
    p:close_stdin()
    assert(p:wait(60))
    assert.equal(200, answered(h, "waits").status)
    h:stop()
  end)
end)

describe("a database that cannot be opened", function()
  local function refused(prepare, pattern)
    local home = assert(temporary.folder())
    assert(fs.mkdir(home .. "/data"))
    prepare(home)
    local h = serve.start { home = home, wait = false }
    local code = h:exit_code()
    assert.is_true(code == 74 or code == 78, tostring(code))
    assert.matches(pattern, h:file "err")
    assert.equal("", h:file "out")
  end

  it("because it is none", function()
    refused(function(home) assert(fs.write(home .. "/data/parley.db", ("not a database "):rep(500))) end,
      "parley.db: .*not a database")
  end)

  it("because it is broken", function()
    refused(function(home)
      local h = serve.start { home = home }
      for i = 1, 20 do h:say("d" .. i, "/echo " .. ("x"):rep(2000)) end
      h:run "stop"
      h:exit_code()
      local file = home .. "/data/parley.db"
      local data = fs.read(file, 1e9)
      assert(fs.write(file, data:sub(1, 100) .. ("\255"):rep(8000) .. data:sub(8101)))
    end, "parley.db: .*malformed")
  end)

  it("because a folder stands in its place", function()
    refused(function(home) assert(fs.mkdir(home .. "/data/parley.db")) end, "parley.db: ")
  end)

  it("because it is of a newer version", function()
    refused(function(home)
      local h = host.start { home = home }
      assert(h.core.db:commit {
        { "INSERT INTO migrations_info (version_num, name, checksum, applied_at) VALUES (999, 'later', 'x', 1)" },
      })
      h:stop()
    end, "written by a newer version")
  end)

  it("because its address is none", function()
    refused(function(home)
      assert(fs.mkdir(home .. "/conf"))
      assert(fs.write(home .. "/conf/parley.lua", "return { database_url = 'mysql://x' }"))
    end, "database_url: expected sqlite:PATH or postgres://..., got 'mysql://x'")
  end)
end)
