-- What a turn leaves that was cut off, or that the database did not take, is finished before anything else of its
-- dialog, once and under the same webhook-id: by its own worker while that goes on, or by whoever comes after it.

local crypto = require "host.crypto"
local database = require "spec.support.database"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local task = require "host.task"
local time = require "host.time"
local webhook = require "parley.plugins.webhook"

describe("a turn that was left unfinished", function()
  local server, url, h

  local function start(home)
    return host.start {
      home = home,
      config = not home and ("return { plugins = { act = { signing_secret = %q, allow_private = true } } }"):format(
        webhook.new_secret()) or nil,
      plugins = not home and {
        act = { manifest = { transport = "rest", endpoint = url, permissions = { "jobs" } } },
      } or nil,
    }
  end

  before_each(function()
    server = python.start "spec/chaos/acting_plugin.py"
    url = ("http://127.0.0.1:%d"):format(server.port)
    h = start()
  end)
  after_each(function()
    h:stop()
    server:stop()
  end)

  local function act(n, more) return h:say("d", ("/act %d%s"):format(n, more or ""), { message_id = "m" .. n }) end

  local function state()
    return json.decode(h.core.db:first("SELECT state FROM dialogs WHERE id = 'd'").state).act
  end

  local function calls()
    return json.decode(assert(http.request { url = url .. "/acted", allow_private = true }).body)
  end

  -- As a worker leaves a message, or a job, that it has made durable.
  local function leave(owner, source, key, payload)
    assert(h.core.db:commit {
      {
        "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner) "
          .. "VALUES ($1, $2, 'd', 'open', $3, 'x', $4, $5, $6)",
        source, key, json.encode(payload), crypto.trace_id(), time.now_ms(), owner,
      },
      { "UPDATE dialogs SET version = version + 1, lease_owner = $1 WHERE id = 'd'", owner, expect = 1 },
    })
  end

  local function leave_message(owner)
    leave(owner, "dialog:d", "m2", { user = { external_id = "alice" }, type = "text", text = "/act 2", message_id = "m2" })
  end

  local function leave_job(owner)
    local job = {
      id = crypto.uuid7(), plugin = "act", job = "ring", dialog_id = "d", data = { n = "1" }, run_at = time.now_ms() + 3600000,
      attempts = 0, trace_id = crypto.trace_id(),
    }
    assert(h.core.db:commit {
      {
        "INSERT INTO jobs (id, plugin, job, dialog_id, data, run_at, state, attempts, trace_id, created_at) "
          .. "VALUES ($1, 'act', 'ring', 'd', $2, $3, 'open', 0, $4, $5)",
        job.id, json.encode(job.data), job.run_at, job.trace_id, time.now_ms(),
      },
    })
    leave(owner, "job:" .. job.id, "0", job)
  end

  local function nothing_left()
    return h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n == 0
      and h.core.db:first("SELECT count(*) AS n FROM jobs WHERE state = 'open'").n == 0
      and h.core.db:first("SELECT count(*) AS n FROM dialogs WHERE lease_owner IS NOT NULL").n == 0
  end

  it("goes on in its worker, which has not gone down", function()
    assert.equal("1 after none", act(1).body.text)
    leave_message(h.core.cluster.id)
    programs.eventually("the end of the message", nothing_left)
    assert.same({ count = 2, last = "2" }, state())
    leave_job(h.core.cluster.id)
    programs.eventually("the end of the job", nothing_left)
    assert.same({ count = 2, last = "2", rung = { "1" } }, state())
    assert.equal("3 after 2", act(3).body.text)
  end)

  for kind, leave_it in pairs { message = leave_message, job = leave_job } do
    it("is finished before the next message when the worker is back: " .. kind, function()
      act(1)
      leave_it(h.core.cluster.id)
      h:stop()
      h = start(h.home)
      local r = act(3)
      assert.equal(kind == "message" and "3 after 2" or "2 after 1", r.body.text)
      assert.same(kind == "job" and { "1" } or nil, state().rung)
      assert.is_true(nothing_left())
    end)

    it("is finished before the next message when its worker is gone: " .. kind, function()
      act(1)
      leave_it "gone/0"
      -- The one worker of a database in a file has no others that would miss it.
      if not database.is_postgres then
        h:stop()
        h = start(h.home)
      end
      local r = act(3)
      assert.equal(kind == "message" and "3 after 2" or "2 after 1", r.body.text)
      assert.same(kind == "job" and { "1" } or nil, state().rung)
      assert.is_true(nothing_left())
    end)
  end

  it("is waited for by a reset, which would come undone", function()
    act(1)
    assert(h.core.db:commit { { "UPDATE dialogs SET version = version + 1, lease_owner = 'elsewhere/0'" } })
    local reset = task.spawn(function() return h:request("POST", "/api/v1/dialogs/d/reset", {}) end)
    task.sleep(0.5)
    assert.same({ count = 1, last = "1" }, state())
    assert(h.core.db:commit { { "UPDATE dialogs SET version = version + 1, lease_owner = NULL" } })
    local ok, r = reset:join(60)
    assert.is_true(ok, r)
    assert.same({ 200, 1 }, { r.status, r.body.reset_version })
    assert.equal("1 after none", act(2).body.text)
  end)

  it("is set aside when it is a job that has brought its worker down three times", function()
    act(1)
    leave_job "gone/0"
    assert(h.core.db:commit { { "UPDATE inbox SET attempts = 3, owner = $1", h.core.cluster.id } })
    assert(h.core.db:commit { { "UPDATE dialogs SET lease_owner = $1", h.core.cluster.id } })
    programs.eventually("the end of the job", nothing_left)
    assert.equal("failed", h.core.db:first("SELECT state FROM jobs").state)
    local letter = h.core.db:first "SELECT source, payload FROM dead_letters"
    assert.matches("^job:act#", letter.source)
    assert.equal("ring", json.decode(letter.payload).job)
    assert.equal("2 after 1", act(2).body.text)
  end)

  it("is a job, too, when the database does not take it", function()
    local real, refused, away = h.core.turn.db, 0, true
    local function commit(_, statements)
      local sql = statements[1][1]
      if away and sql:find "^UPDATE jobs SET state" then
        refused = refused + 1
        return nil, { code = "unavailable", message = "it is away", retryable = true }
      end
      return real:commit(statements)
    end
    h.core.turn.db = setmetatable({ commit = commit }, {
      __index = function(_, name) return function(_, ...) return real[name](real, ...) end end,
    })
    assert.equal(200, act(1, " ring").status)
    programs.eventually("a refusal", function() return refused > 3 end)
    -- The next message would go before the job, on a state that the plugin takes back.
    assert.equal(503, act(2).status)
    away = false
    programs.eventually("the end of the job", nothing_left)
    assert.equal("2 after 1", act(2).body.text)
    assert.same({ count = 2, last = "2", rung = { "1" } }, state())
    assert.equal(2, #calls())
  end)
end)
