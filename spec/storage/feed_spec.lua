-- A page of events looks at a bounded number of rows, and says where to go on.

local audit = require "parley.store.audit"
local database = require "spec.support.database"
local feed = require "parley.store.feed"
local host = require "spec.support.host"

local SOURCE = { table = "audit_logs", columns = "id, action" }

describe("a feed", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  it("goes on behind rows that nobody has asked for", function()
    local function note(action, n)
      local statements = {}
      for i = 1, n do
        statements[i] = audit.insert { source = "core", action = action, severity = "info" }
      end
      assert(h.core.db:commit(statements))
    end
    note("wanted", 2)
    for _ = 1, 12 do note("other", 1000) end
    note("wanted", 1)

    local found, pages, cursor = 0, {}, nil
    repeat
      local rows
      rows, cursor = feed.page(h.core.db, SOURCE, { limit = 10, cursor = cursor, where = { action = "wanted" } })
      assert(rows, cursor)
      found, pages[#pages + 1] = found + #rows, #rows
    until not cursor
    assert.equal(3, found)
    assert.same({ 1, 0, 2 }, pages)
  end)

  it("reads by the primary key", function()
    local explain, expected = "EXPLAIN QUERY PLAN ", "SEARCH audit_logs USING PRIMARY KEY"
    if database.is_postgres then explain, expected = "EXPLAIN ", "Index Scan Backward using audit_logs_pkey" end
    assert(h.core.db:script "ANALYZE audit_logs")
    local rows = assert(h.core.db:query(explain .. "SELECT * FROM (SELECT id, action FROM audit_logs WHERE id < $1 "
      .. "AND id >= $2 ORDER BY id DESC LIMIT $3) AS newest WHERE action = $5 ORDER BY id DESC LIMIT $4", "~", "", 5000,
      10, "wanted"))
    local plan = {}
    for i, row in ipairs(rows) do plan[i] = row.detail or row["QUERY PLAN"] end
    assert.matches(expected, table.concat(plan, "\n"))
  end)
end)
