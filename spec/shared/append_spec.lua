-- Rows that many transactions append at the same time: however a driver puts them together, each transaction
-- is on its own.

local database = require "spec.support.database"
local task = require "host.task"

local function open()
  return database.empty [[
    CREATE TABLE wide (id TEXT PRIMARY KEY, note TEXT, a BIGINT, b DOUBLE PRECISION);
    CREATE TABLE counters (id TEXT PRIMARY KEY, n BIGINT NOT NULL);
  ]]
end

-- All at once, so that the first is on its way when the others gather.
local function commit_all(db, transactions)
  local tasks, results = {}, {}
  for i, statements in ipairs(transactions) do
    tasks[i] = task.spawn(function() results[i] = { db:commit(statements) } end)
  end
  for i = 1, #tasks do assert(tasks[i]:join()) end
  return results
end

local function count(db, what) return db:first("SELECT count(*) AS n FROM " .. what).n end

local function row(id, note, a, b)
  return { "INSERT INTO wide (id, note, a, b) VALUES ($1, $2, $3, $4)", id, note, a, b, n = 4, append = true }
end

local function pair(id)
  return {
    "INSERT INTO wide (id, note, a) VALUES ($1, 'costs $1', $2), ($3, 'it''s $2', $4)",
    id, 1, id .. "'", 2, append = true,
  }
end

describe("rows that are appended", function()
  it("are all there, each as it was given", function()
    local db, transactions = open(), {}
    for i = 1, 75 do transactions[i] = { row("r" .. i, i % 2 == 0 and "even" or nil, i, i / 4), pair("p" .. i) } end
    for i, r in ipairs(commit_all(db, transactions)) do
      assert.same({ { changes = 1 }, { changes = 2 } }, r[1])
      assert.same({ id = "r" .. i, note = i % 2 == 0 and "even" or nil, a = i, b = i / 4 },
        db:first("SELECT * FROM wide WHERE id = $1", "r" .. i))
      assert.same({ { id = "p" .. i, note = "costs $1", a = 1 }, { id = "p" .. i .. "'", note = "it's $2", a = 2 } },
        db:query("SELECT id, note, a FROM wide WHERE id = $1 OR id = $2 ORDER BY id", "p" .. i, "p" .. i .. "'"))
    end
    assert.equal(225, count(db, "wide"))
    db:close()
  end)

  it("cost nobody else the transaction when one is there already", function()
    local db, transactions = open(), {}
    assert(db:commit { row "twice" })
    for i = 1, 40 do
      transactions[i] = {
        { "INSERT INTO counters (id, n) VALUES ($1, 0)", "c" .. i }, pair("p" .. i),
        row(i % 20 == 7 and "twice" or "r" .. i),
      }
    end
    for i, r in ipairs(commit_all(db, transactions)) do
      if i % 20 == 7 then
        assert.same({ "unique", 3 }, { r[2].code, r[2].statement })
      else
        assert.truthy(r[1])
      end
    end
    assert.equal(38, count(db, "counters"))
    assert.equal(38 * 3 + 1, count(db, "wide"))
    db:close()
  end)

  it("go with their own transaction when another statement of it fails", function()
    local db, transactions = open(), {}
    assert(db:commit { { "INSERT INTO counters (id, n) VALUES ('c', 0)" } })
    for i = 1, 40 do
      transactions[i] = {
        row("r" .. i),
        { "UPDATE counters SET n = n + 1 WHERE id = $1", i % 10 == 3 and "none" or "c", expect = 1 },
      }
    end
    for i, r in ipairs(commit_all(db, transactions)) do
      assert.equal(i % 10 == 3 and "conflict" or nil, r[2] and r[2].code)
    end
    assert.equal(36, count(db, "wide"))
    assert.equal(36, db:first("SELECT n FROM counters").n)
    db:close()
  end)

  it("may have more parameters than one statement takes together", function()
    local db, transactions = open(), {}
    for i = 1, 20 do
      local marks, statement = {}, { n = 120, append = true }
      for k = 1, 120 do
        marks[k], statement[k + 1] = ("($%d)"):format(k), ("r%d-%d"):format(i, k)
      end
      statement[1] = "INSERT INTO wide (id) VALUES " .. table.concat(marks, ", ")
      transactions[i] = { statement }
    end
    for _, r in ipairs(commit_all(db, transactions)) do assert.equal(120, r[1][1].changes) end
    assert.equal(2400, count(db, "wide"))
    db:close()
  end)

  it("may be of many texts", function()
    local db, transactions = open(), {}
    for i = 1, 60 do
      transactions[i] = {
        { ("INSERT INTO wide (id, note) VALUES ($1, 'of kind %d')"):format(i % 30), "r" .. i, append = true },
      }
    end
    for _, r in ipairs(commit_all(db, transactions)) do assert.equal(1, r[1][1].changes) end
    assert.equal(30, db:first("SELECT count(DISTINCT note) AS n FROM wide").n)
    db:close()
  end)
end)
