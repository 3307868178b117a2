-- Rows that many transactions change at the same time, each by its key: however a driver puts them together, each
-- transaction is on its own.

local database = require "spec.support.database"
local task = require "host.task"

local UPDATE = "UPDATE places SET note = $3, version = $2 + 1, n = $4, told = 'it''s $1' "
  .. "WHERE id = $1 AND version = $2"

local function open(rows)
  local db = database.empty [[
    CREATE TABLE places (id TEXT PRIMARY KEY, version BIGINT NOT NULL, note TEXT, n BIGINT, told TEXT);
    CREATE TABLE logs (id TEXT PRIMARY KEY);
  ]]
  for i = 1, rows do assert(db:commit { { "INSERT INTO places (id, version) VALUES ($1, $2)", "p" .. i, i } }) end
  return db
end

local function change(id, version, note, n)
  return { UPDATE, id, version, note, n, n = 4, expect = 1, join = "text bigint text bigint" }
end

local function log(id) return { "INSERT INTO logs (id) VALUES ($1)", id, append = true } end

-- All at once, so that the first is on its way when the others gather.
local function commit_all(db, transactions)
  local tasks, results = {}, {}
  for i, statements in ipairs(transactions) do
    tasks[i] = task.spawn(function() results[i] = { db:commit(statements) } end)
  end
  for i = 1, #tasks do assert(tasks[i]:join()) end
  return results
end

local function place(db, id) return db:first("SELECT * FROM places WHERE id = $1", id) end
local function count(db, what) return db:first("SELECT count(*) AS n FROM " .. what).n end

describe("rows that are changed by their keys", function()
  it("are all changed, each as it was given", function()
    local db, transactions = open(75), {}
    for i = 1, 75 do
      transactions[i] = { change("p" .. i, i, i % 2 == 0 and "even" or nil, i % 3 ~= 0 and i or nil), log("l" .. i) }
    end
    for _, r in ipairs(commit_all(db, transactions)) do assert.same({ { changes = 1 }, { changes = 1 } }, r[1]) end
    for i = 1, 75 do
      assert.same({
        id = "p" .. i, version = i + 1, note = i % 2 == 0 and "even" or nil, n = i % 3 ~= 0 and i or nil,
        told = "it's $1",
      }, place(db, "p" .. i))
    end
    assert.equal(75, count(db, "logs"))
    db:close()
  end)

  it("that are not as expected cost nobody else the transaction", function()
    local db, transactions = open(60), {}
    for i = 1, 60 do
      local id = i % 20 == 3 and "nobody" or "p" .. i
      transactions[i] = { log("l" .. i), change(id, i % 20 == 7 and 1000 or i, "new", i) }
    end
    for i, r in ipairs(commit_all(db, transactions)) do
      local wrong = i % 20 == 3 or i % 20 == 7
      if wrong then assert.same({ "conflict", 2 }, { r[2].code, r[2].statement }) else assert.truthy(r[1]) end
      assert.equal(wrong and i or i + 1, place(db, "p" .. i).version)
    end
    assert.equal(54, count(db, "logs"))
    db:close()
  end)

  it("are changed once when two transactions find them in the same version", function()
    local db, transactions = open(10), {}
    for i = 1, 40 do transactions[i] = { change("p" .. i % 10 + 1, i % 10 + 1, "by " .. i, i), log("l" .. i) } end
    local stored = 0
    for i, r in ipairs(commit_all(db, transactions)) do
      if r[1] then
        stored = stored + 1
        assert.equal("by " .. i, place(db, "p" .. i % 10 + 1).note)
      else
        assert.equal("conflict", r[2].code)
      end
    end
    assert.equal(10, stored)
    assert.equal(10, count(db, "logs"))
    db:close()
  end)

  it("fail with a transaction that fails for another reason", function()
    local db, transactions = open(40), {}
    assert(db:commit { log "there" })
    for i = 1, 40 do
      transactions[i] = { change("p" .. i, i, "new", i), log(i % 10 == 5 and "there" or "l" .. i) }
    end
    for i, r in ipairs(commit_all(db, transactions)) do
      assert.equal(i % 10 == 5 and "unique" or nil, r[2] and r[2].code)
      assert.equal(i % 10 == 5 and i or i + 1, place(db, "p" .. i).version)
    end
    db:close()
  end)

  it("may stand in one transaction with others that are read or changed alone", function()
    local db, transactions = open(40), {}
    for i = 1, 40 do
      transactions[i] = {
        change("p" .. i, i, "new", i),
        { "UPDATE places SET n = 0 WHERE id = $1", i % 10 == 4 and "nobody" or "p" .. i, expect = 1 },
        i % 2 == 0 and { "UPDATE places SET told = 'x' WHERE id = $1 RETURNING told", "p" .. i } or nil,
      }
    end
    for i, r in ipairs(commit_all(db, transactions)) do
      assert.equal(i % 10 == 4 and "conflict" or nil, r[2] and r[2].code)
      if i % 2 == 0 and r[1] then assert.same({ { told = "x" } }, r[1][3].rows) end
      assert.equal(i % 10 == 4 and i or i + 1, place(db, "p" .. i).version)
    end
    db:close()
  end)
end)
