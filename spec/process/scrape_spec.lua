-- The metrics of a host with several workers, whichever of them answers.

local database = require "spec.support.database"
local postgres = require "host.postgres"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local supervised = require "spec.support.supervised"
local support = require "spec.support.host"

local eventually = programs.eventually

-- Values by series (name and labels), and which of them must not fall.
local function read(text)
  local values, totals, kind = {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    kind = line:match "^# TYPE [%w_]+ (%w+)" or kind
    local series, value = line:match "^([^#%s].*) (%S+)$"
    if series then
      assert(not values[series], "twice: " .. series)
      values[series], totals[series] = tonumber(value), kind ~= "gauge" or nil
    end
  end
  return values, totals
end

-- Fails when a total has fallen, or is gone.
local function check_totals(before, after, totals)
  for series, value in pairs(before) do
    if totals[series] and not (after[series] and after[series] >= value) then
      error(("%s fell from %s to %s"):format(series, value, tostring(after[series])))
    end
  end
end

describe("the metrics of several workers", function()
  local WORKERS, COUNTED = 3, 'asked_total{route="count"}'
  local host
  before_each(function()
    host = supervised.start {
      workers = WORKERS, hang_ms = 60000,
      argv_for_worker = { "--worker-script", "spec/process/scrape_fixture.lua" },
    }
  end)
  after_each(supervised.end_all)

  local function scrape() return read(assert(host:get "metrics")) end
  -- Every worker publishes now and then, not at once.
  local function shows(n)
    eventually("all that was counted", function() return scrape()[COUNTED] == n end)
  end

  -- Asks until every worker has counted some, and returns how often.
  local function count_everywhere()
    local n, seen, workers = 0, {}, 0
    repeat
      local index = assert(host:get "count")
      n, workers = n + 1, workers + (seen[index] and 0 or 1)
      seen[index] = true
    until workers == WORKERS
    return n
  end

  it("are those of all of them, whoever is asked", function()
    local n = count_everywhere()
    shows(n)
    for _ = 1, 10 do
      local values = scrape()
      assert.equal(n, values[COUNTED])
      assert.equal(n, values['asked_seconds_bucket{le="1"}'])
      assert.equal(n, values.asked_seconds_count)
      assert.equal(n / 2, values.asked_seconds_sum)
      assert.equal(WORKERS, values.workers)
      assert.equal(WORKERS - 1, values.index)
    end
  end)

  it("do not go backwards when workers are killed", function()
    local n = count_everywhere()
    shows(n)
    local last = scrape()
    for round = 1, 2 * WORKERS do
      host:get "crash"
      eventually("its successor", function()
        local values, totals = scrape()
        check_totals(last, values, totals)
        last = values
        return values.starts_total == WORKERS + round and values.workers == WORKERS
      end)
    end
    assert.equal(n, last[COUNTED])
    shows(n + count_everywhere())
  end)

  it("keep what a worker has counted until it was told to end", function()
    local n = count_everywhere()
    for _, w in ipairs(host:status().workers) do programs.kill(w.pid, "TERM") end
    eventually("their successors", function() return scrape().starts_total == 2 * WORKERS end)
    assert.equal(n, scrape()[COUNTED])
  end)

  it("say nothing of what a worker is doing that does not answer any more", function()
    local n = count_everywhere()
    shows(n)
    host:get("stop", 0.2)
    eventually("one less that works", function() return scrape().workers == WORKERS - 1 end)
    assert.equal(n, scrape()[COUNTED])
    for _, w in ipairs(host:status().workers) do programs.kill(w.pid, "CONT") end
    eventually("all again", function() return scrape().workers == WORKERS end)
  end)
end)

describe("the metrics of the host", function()
  local host
  setup(function() host = serve.start() end)
  teardown(function() host:close() end)

  local function scrape() return read(assert(host:request(host.ops, "GET", "/metrics")).text) end

  it("go on from what they were when its worker is replaced", function()
    for i = 1, 5 do assert.equal(200, host:say("d" .. i, "/echo " .. i).status) end
    local before = scrape()
    assert.equal(5, before['parley_turns_total{status="answered"}'])
    assert.equal(0, before.parley_worker_restarts_total)
    programs.kill(host:status().workers[1].pid, "KILL")
    local shown = eventually("its successor", function()
      local r = host:request(host.ops, "GET", "/metrics")
      if r and r.status == 200 then return { read(r.text) } end
    end)
    local after, totals = unpack(shown)
    check_totals(before, after, totals)
    assert.equal(1, after.parley_worker_restarts_total)
    assert.equal(1, after.parley_workers)
    assert.equal(200, host:say("d1", "/echo again").status)
    assert.equal(6, scrape()['parley_turns_total{status="answered"}'])
  end)
end)

-- SQLite has one worker.
if database.is_postgres then
  describe("the metrics of a host with several workers", function()
    local WORKERS, POOL = 3, 4 -- connections of a worker
    local host, url
    setup(function()
      local home = support.temp_dir()
      url = database.url(home)
      host = serve.start { home = home, env = { PARLEY_DATABASE_URL = url, PARLEY_WORKERS = tostring(WORKERS) } }
    end)
    teardown(function() host:close() end)

    local function scrape() return read(assert(host:request(host.ops, "GET", "/metrics")).text) end

    it("are those of the whole host", function()
      for i = 1, 20 do assert.equal(200, host:say("d" .. i, "/echo " .. i).status) end
      eventually("all turns", function() return scrape()['parley_turns_total{status="answered"}'] == 20 end)
      local values = scrape()
      assert.equal(20, values.parley_turn_seconds_count)
      assert.equal(WORKERS, values.parley_workers)
      assert.equal(1, values.parley_generation)
      assert.equal(WORKERS * POOL, values['parley_db_connections{state="up"}'])
      assert.equal(0, values.parley_db_reconnects_total)
    end)

    it("tell of connections to the database that were cut off", function()
      local admin = assert(postgres.open { url = url, writers = 1, readers = 1 })
      assert(postgres.wait(admin))
      local cut = assert(admin:first("SELECT count(pg_terminate_backend(a.pid)) AS n FROM pg_stat_activity AS a "
        .. "WHERE a.pid <> pg_backend_pid() AND a.datname = current_database()")).n
      admin:close()
      assert.is_true(cut >= WORKERS * POOL)
      eventually("all connections again", function()
        local values = scrape()
        return values.parley_db_reconnects_total >= WORKERS * POOL and values['parley_db_connections{state="down"}'] == 0
      end)
    end)
  end)
end
