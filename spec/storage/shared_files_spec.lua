-- Whether instances have one folder of files is found out, where it matters.

local drivers = require "spec.support.drivers"
local json = require "host.json"
local migrate = require "parley.store.migrate"
local shared = require "parley.blobs.shared"
local store = require "parley.store"
local temporary = require "parley.util.temporary"

describe("the folder of files", function()
  local db
  before_each(function()
    db = drivers.sqlite.open(drivers.sqlite.place())
    assert(migrate.to(db, assert(store.migrations(db))))
  end)
  after_each(function() db:close() end)

  local function instance(id, info)
    assert(db:commit { {
      "INSERT INTO instances (id, heartbeat, started_at, info) VALUES ($1, 1, 1, $2)", id, json.encode(info),
    } })
  end
  local function file()
    assert(db:commit { {
      "INSERT INTO blobs (id, hash, plugin, size, type, created_at, expires_at) VALUES ('b', 'h', 'p', 1, 'text/plain', 1, 2)",
    } })
  end

  it("has a name that stays, and another one in another home", function()
    local one, two = assert(temporary.folder()), assert(temporary.folder())
    local id = assert(shared.identity(one))
    assert.equal(id, shared.identity(one))
    assert.not_equal(id, shared.identity(two))
  end)

  it("is told apart when there are files", function()
    instance("a/0", { host = "north", files = "f1" })
    instance("a/1", { host = "north", files = "f1" })
    instance("old/0", { host = "west" }) -- of a version that says nothing of it
    file()
    assert.same({}, shared.apart(db))
    instance("b/0", { host = "south", files = "f2" })
    assert.same({ "north (f1)", "south (f2)" }, shared.apart(db))
    assert(db:commit { { "DELETE FROM blobs" } })
    assert.same({}, shared.apart(db))
  end)
end)
