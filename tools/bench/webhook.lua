-- The parts of tools/bench/webhook, run by `parley lua`:
--   api                             a Bot API that says yes to everything; prints its port
--   secret HOME                     the secret of the webhook of the bot "main"
--   commit HOME                     one row of inbox after the other: p50 and p99 of a commit, in ms

local config = require "parley.config"
local crypto = require "host.crypto"
local http_server = require "host.http_server"
local secrets = require "parley.plugins.secrets"
local store = require "parley.store"
local task = require "host.task"
local time = require "host.time"

local COMMITS = 1500

local function quantile(values, q)
  table.sort(values)
  return values[math.max(1, math.ceil(#values * q))] or 0
end

local parts = {}

function parts.api()
  local reply = '{"ok":true,"result":{"message_id":1,"id":7000001,"is_bot":true,"username":"bench_bot"}}'
  local server = assert(http_server.listen({ port = 0, idle_ms = 600000 }, function(req, _, path)
    if path:find "getUpdates" then
      task.sleep(20) -- whoever polls waits, as there are none
      return req:respond(200, "Content-Type: application/json\r\n", '{"ok":true,"result":[]}')
    end
    req:respond(200, "Content-Type: application/json\r\n", reply)
  end))
  io.stdout:write(server:port(), "\n")
  io.stdout:flush()
  task.sleep(1e6)
end

local function home_config(home) return assert(config.load(home)) end

function parts.secret(home)
  local master = assert(secrets.master(home_config(home)))
  io.stdout:write(require("parley.store.bots").secret(master, "main", 1), "\n")
end

function parts.commit(home)
  local db = assert(store.open(home_config(home), { migrate = false }))
  local took = {}
  for i = 1, COMMITS do
    local since = time.mono()
    assert(db:commit { {
      "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner) "
        .. "VALUES ($1, $2, $3, 'done', $4, $5, $6, $7, $8)",
      "bench", crypto.uuid7(), "tg:main:1", ("x"):rep(300), ("0"):rep(32), crypto.trace_id(), time.now_ms(), "bench",
    } })
    took[i] = (time.mono() - since) * 1000
  end
  db:close()
  print(("%.2f %.2f"):format(quantile(took, 0.5), quantile(took, 0.99)))
end

local name = (...)
assert(parts[name], "api, secret or commit expected")
parts[name](select(2, ...))
return 0
