-- What brings a host down three times is set aside; what has only waited behind it is not.

local config = require "parley.config"
local database = require "spec.support.database"
local host = require "spec.support.host"
local lanes = require "parley.turn.lanes"
local recover = require "parley.turn.recover"
local store = require "parley.store"

describe("messages that are taken up after a crash", function()
  local db
  before_each(function()
    local home = host.temp_dir()
    database.forget()
    db = assert(store.open(assert(config.load(home, { getenv = database.environment(home) }))))
  end)
  after_each(function() db:close() end)

  it("are blamed for it one after the other, the first of a dialog, and no part that waits for others", function()
    local n = 0
    local function put(key, dialog, part)
      n = n + 1
      assert(db:commit { {
        "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner, part_of) "
          .. "VALUES ('tg:x', $1, $2, 'open', '{}', 'x', 't', $3, 'blamed', $4)", key, dialog, n, part, n = 4,
      } })
    end
    put("1", "a")
    put("2", "a")
    put("3", "a")
    put("4", "b", "album")
    put("5", "b", "album")
    put("6", "b")
    local deps = {
      db = db, lanes = lanes.new(100), owner = "blamed", log = function() end,
      turn = { resume = function() return nil, { code = "crashed", message = "as if" } end },
    }
    local function look()
      for _, t in ipairs(assert(recover.run(deps))) do t:join(30) end
      local out = {}
      for _, row in ipairs(db:query "SELECT key, state, attempts FROM inbox WHERE source = 'tg:x' ORDER BY key") do
        out[#out + 1] = row.state == "open" and row.attempts or row.state
      end
      return out
    end
    assert.same({ 1, 0, 0, 0, 0, 0 }, look())
    look()
    assert.same({ 3, 0, 0, 0, 0, 0 }, look())
    assert.same({ "failed", 0, 0, 0, 0, 0 }, look())
    assert.same({ "failed", 1, 0, 0, 0, 0 }, look())
    assert(db:commit { { "DELETE FROM inbox WHERE part_of IS NOT NULL" } })
    assert.same({ "failed", 2, 0, 1 }, look())
  end)
end)
