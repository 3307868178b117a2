-- What parts of a worker count or know themselves, read when somebody asks.

local telegram = require "parley.ops.telegram"

local M = {}

-- Each returns what brings its metrics up to date from an object.
local KINDS = {}

function KINDS.server(r)
  local accepted = r:counter("parley_http_connections_total", "Connections that were accepted.")
  local refused = r:counter("parley_http_connections_refused_total",
    "Connections closed at once, because too many were open.")
  local crowded = r:counter("parley_http_connections_refused_by_address_total",
    "Those of them whose own address had too many.")
  local bad = r:counter("parley_http_bad_requests_total",
    "Requests refused before a route was looked for: not HTTP, too large, too slow.")
  local slow = r:counter("parley_http_slow_requests_total",
    "Those of them that did not come in time, or too few bytes a second.")
  local bytes_in = r:counter("parley_http_received_bytes_total", "Bytes received.")
  local bytes_out = r:counter("parley_http_sent_bytes_total", "Bytes sent.")
  local handshakes = r:counter("parley_tls_handshakes_total",
    "Handshakes of TLS: full, resumed (an earlier session went on), failed, timeout, or http (the "
      .. "peer spoke plain HTTP).", { "result" })
  local open = r:gauge("parley_http_connections", "Connections that are open.")
  local busy = r:gauge("parley_http_requests_running", "Requests without a complete answer.")
  return function(server)
    local s = server:stats()
    accepted.value, refused.value, bad.value = s.accepted, s.refused, s.bad
    crowded.value, slow.value = s.refused_address, s.slow
    bytes_in.value, bytes_out.value = s.bytes_in, s.bytes_out
    handshakes:with("full").value = s.handshakes - s.resumed
    handshakes:with("resumed").value = s.resumed
    handshakes:with("failed").value = s.handshakes_failed - s.handshakes_http
    handshakes:with("timeout").value = s.handshakes_slow
    handshakes:with("http").value = s.handshakes_http
    open:set(s.open)
    busy:set(s.busy)
  end
end

-- A database without connections has no series of them, instead of zeros that look like an outage.
function KINDS.db(r)
  local transactions = r:counter("parley_db_transactions_total",
    "Transactions that were asked for.")
  local groups = r:counter("parley_db_commits_total",
    "Durable commits; each holds all transactions that had gathered.")
  local failed = r:counter("parley_db_failures_total", "Transactions that were rolled back.")
  local commit_seconds = r:counter("parley_db_commit_seconds_total", "Time spent in commits.")
  local reads = r:counter("parley_db_reads_total", "Queries of the readers.")
  local queued = r:gauge("parley_db_transactions_waiting", "Transactions before the writer.")
  local reads_queued = r:gauge("parley_db_reads_waiting", "Queries before the readers.")
  local connections = r:gauge("parley_db_connections",
    "Connections to the server, by state: up or down.", { "state" })
  local reconnects = r:counter("parley_db_reconnects_total",
    "Connections to the server that were opened again.")
  local retries = r:counter("parley_db_retries_total",
    "Transactions that were run again because another one of their commit had failed.")
  local cancels = r:counter("parley_db_cancels_total",
    "Statements that the server was asked to stop, since nobody waited for them any more.")
  return function(db)
    local s = db:stats()
    transactions.value, groups.value, failed.value = s.transactions, s.groups, s.failed
    commit_seconds.value, reads.value = s.commit_s, s.reads
    queued:set(s.queued)
    reads_queued:set(s.reads_queued)
    reconnects.value, retries.value, cancels.value = s.reconnects, s.retried, s.cancels
    if s.connections > 0 then
      connections:with("up"):set(s.connected)
      connections:with("down"):set(s.connections - s.connected)
    end
  end
end

function KINDS.lanes(r)
  local waiting = r:gauge("parley_turns_waiting", "Messages behind another one of their dialog.")
  local busy = r:gauge("parley_lanes", "Dialogs that have a turn under way.")
  return function(lanes)
    local n = 0
    for _ in pairs(lanes.lanes) do n = n + 1 end
    busy:set(n)
    waiting:set(lanes.waiting)
  end
end

function KINDS.limits(r)
  local keys = r:gauge("parley_rate_limit_keys",
    "Users, bots and plugins that workers hold a part of an allowance of, or have refused.")
  return function(limits) keys:set(limits:stats().keys) end
end

function KINDS.manager(r)
  local memory = r:gauge("parley_plugin_memory_bytes",
    "Memory of the plugin's state in the generation that serves, where it is largest.",
    { "plugin" }, { merge = "max" })
  local state = r:gauge("parley_plugin_state",
    "1 for the state that the plugin is in: registered, active, degraded or disabled.",
    { "plugin", "state" }, { merge = "max" })
  local circuit = r:gauge("parley_plugin_circuit_open",
    "1 while a worker leaves the plugin alone, or tries it again, because it has failed too often.",
    { "plugin" }, { merge = "max" })
  local generation = r:gauge("parley_generation",
    "Number of the generation of plugins that serves.", nil, { merge = "max" })
  return function(manager)
    generation:set(manager.number)
    memory:clear()
    state:clear()
    circuit:clear()
    for _, p in ipairs(manager.current and manager.current.plugins or {}) do
      memory:with(p.name):set(p.driver:stats().memory or 0)
      state:with(p.name, p.state):set(1)
      circuit:with(p.name):set(p.circuit.state == "closed" and 0 or 1)
    end
  end
end

-- A host may have thousands of bots: they are counted by state, and only those that fail are named,
-- as many as a metric may have series.
function KINDS.bots(r)
  local bots = r:gauge("parley_telegram_bots",
    "Bots by state: starting, polling, sending (their updates come to a webhook), failing or "
      .. "paused.", { "state" })
  local failing = r:gauge("parley_telegram_bot_failing",
    "1 for a bot that fails, with the code of the error.", { "bot", "code" })
  return function(shards)
    bots:clear()
    failing:clear()
    local counts = shards:states(function(name, code) failing:with(name, code):set(1) end)
    for state, n in pairs(counts) do bots:with(state):set(n) end
  end
end

function KINDS.inlet(r)
  local waiting = r:gauge("parley_telegram_webhook_waiting",
    "Updates that were acknowledged at a webhook and are not in the inbox yet.")
  return function(inlet) waiting:set(inlet:waiting()) end
end

-- The client of Redis, by its statistics; without one all stay at 0.
local function watch_redis(r)
  local connections = r:gauge("parley_redis_connections",
    "Connections to Redis that are up: one for each worker.")
  local losses = r:counter("parley_redis_connections_lost_total",
    "Connections to Redis that were lost.")
  local commands = r:counter("parley_redis_commands_total", "Commands that were sent to Redis.")
  local seconds = r:counter("parley_redis_reply_seconds_total",
    "Time from the commands to their replies, of all together.")
  local failures = r:counter("parley_redis_failures_total",
    "Commands without a result: refused (Redis is away), timeout, lost (the connection has ended) "
      .. "or error (Redis says so).", { "kind" })
  local waiting = r:gauge("parley_redis_commands_waiting", "Commands without a reply so far.")
  return function(s)
    connections:set(s.connected and 1 or 0)
    losses.value, commands.value, seconds.value = s.losses, s.commands, s.reply_s
    failures:with("refused").value, failures:with("timeout").value = s.refused, s.timed_out
    failures:with("lost").value, failures:with("error").value = s.lost, s.errors
    waiting:set(s.waiting)
  end
end

-- Values and streams that instances share (parley.shared).
function KINDS.shared(r)
  local mode = r:gauge("parley_shared_mode",
    "1 for the mode: redis, sql (none is configured) or degraded (Redis is away, SQL stands in).",
    { "mode" }, { merge = "max" })
  local published = r:counter("parley_stream_events_published_total",
    "Events that were put into streams of Redis.")
  local redis = watch_redis(r)
  return function(shared)
    local s = shared:stats()
    mode:clear()
    mode:with(shared:mode()):set(1)
    published.value = s.published
    if s.commands then redis(s) end
  end
end

KINDS.telegram = telegram.gauges

---What a registry knows of the parts of a worker.
---@param registry parley.metrics.Registry
---@return fun(kind: string, object: table|nil) watch reads the object of that kind from now on;
---  nil: it is closed, and its metrics stay as they were
function M.new(registry)
  local watched, updates, kinds = {}, {}, {}
  for kind in pairs(KINDS) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do updates[kind] = KINDS[kind](registry) end
  registry:on_collect(function()
    for kind, object in pairs(watched) do updates[kind](object) end
  end)
  return function(kind, object)
    if not updates[kind] then error("no such kind: " .. tostring(kind), 2) end
    watched[kind] = object
  end
end

return M
