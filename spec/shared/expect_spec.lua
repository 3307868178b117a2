-- What a transaction expects of its statements, alone and among others.

local database = require "spec.support.database"
local task = require "host.task"

local function open()
  return database.empty [[
    CREATE TABLE things (id TEXT PRIMARY KEY, n BIGINT NOT NULL);
    INSERT INTO things (id, n) VALUES ('a', 1), ('b', 1), ('c', 2);
  ]]
end

local function all(db) return db:query "SELECT id, n FROM things ORDER BY id" end

local BEFORE = { { id = "a", n = 1 }, { id = "b", n = 1 }, { id = "c", n = 2 } }

describe("a transaction", function()
  local db
  before_each(function() db = open() end)
  after_each(function() db:close() end)

  for _, case in ipairs {
    { "fewer rows", { "UPDATE things SET n = 5 WHERE id = $1", "x", expect = 1 }, 0 },
    { "more rows", { "UPDATE things SET n = 5 WHERE n = $1", 1, expect = 1 }, 2 },
    { "rows where none should", { "DELETE FROM things WHERE n = $1", 2, expect = 0 }, 1 },
    { "no row because it is there", {
      "INSERT INTO things (id, n) VALUES ($1, 1) ON CONFLICT (id) DO NOTHING", "a", expect = 1,
    }, 0 },
    { "other rows than it returns", {
      "UPDATE things SET n = 5 WHERE n = $1 RETURNING id", 1, expect = 1,
    }, 2 },
  } do
    it("is undone and says why when a statement changes " .. case[1], function()
      local ok, err = db:commit { { "INSERT INTO things (id, n) VALUES ('new', 9)" }, case[2] }
      assert.is_nil(ok)
      assert.same({ "conflict", 2 }, { err.code, err.statement })
      assert.matches(("changed %d rows where %d were expected"):format(case[3], case[2].expect), err.message)
      assert.same(BEFORE, all(db))
    end)
  end

  it("tells what its statements have changed and returned", function()
    local r = assert(db:commit {
      { "UPDATE things SET n = n + 1 WHERE n = $1", 1, expect = 2 },
      { "UPDATE things SET n = n + 1 WHERE id = $1 RETURNING n", "c", expect = 1 },
      { "DELETE FROM things WHERE id = $1", "none", expect = 0 },
      { "INSERT INTO things (id, n) VALUES ($1, 1)", "d", expect = 1 },
    })
    assert.same({ { changes = 2 }, { changes = 1, rows = { { n = 3 } } }, { changes = 0 }, { changes = 1 } }, r)
  end)

  it("fails for its own reason when there is another", function()
    local _, err = db:commit {
      { "UPDATE things SET n = $1 WHERE id = $2", 7, "a", expect = 1 },
      { "INSERT INTO things (id, n) VALUES ('b', 1)", expect = 1 },
    }
    assert.same({ "unique", 2 }, { err.code, err.statement })
    assert.same(BEFORE, all(db))
  end)

  it("costs others nothing when it is in conflict", function()
    local tasks, codes = {}, {}
    for i = 1, 30 do
      tasks[i] = task.spawn(function()
        local _, err = db:commit {
          { "INSERT INTO things (id, n) VALUES ($1, 1)", "t" .. i },
          { "UPDATE things SET n = n + 1 WHERE id = $1", i % 3 == 0 and "x" or "a", expect = 1 },
        }
        codes[i] = err and err.code or "done"
      end)
    end
    for i = 1, 30 do
      assert(tasks[i]:join())
      assert.equal(i % 3 == 0 and "conflict" or "done", codes[i])
    end
    assert.equal(21, db:first("SELECT n FROM things WHERE id = 'a'").n)
    assert.equal(23, db:first("SELECT count(*) AS n FROM things").n)
  end)
end)
