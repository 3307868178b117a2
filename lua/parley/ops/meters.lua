-- The metrics of a worker, all in one place: docs/metrics.md is the same list for operators.
--
-- What happens in Lua is counted where it happens. What C counts itself (connections, commits) is
-- read when somebody asks: M.watch names where.

local client = require "host.http_client"
local host_log = require "host.log"
local metrics = require "parley.ops.metrics"
local task = require "host.task"

local M = { registry = metrics.new() }
local r = M.registry

M.http_requests = r:counter("parley_http_requests_total",
  "Requests of the public API, by route and status.", { "route", "method", "status" })
M.http_seconds = r:histogram("parley_http_request_seconds",
  "Time from the whole request to the whole answer.", { "route" })

M.turns = r:counter("parley_turns_total",
  "Turns that were committed: answered, fallback or failed; replayed ones were sent before.",
  { "status" })
M.turn_seconds = r:histogram("parley_turn_seconds",
  "Time of a turn, from its arrival to its durable answer, waiting in its lane included.")

M.plugin_calls = r:counter("parley_plugin_calls_total",
  "Calls of plugins: ok, or the code of the error.", { "plugin", "outcome" })
M.plugin_seconds = r:histogram("parley_plugin_call_seconds",
  "Time of a plugin's call, its waiting included.", { "plugin" })
M.plugin_retries = r:counter("parley_plugin_retries_total",
  "Calls of REST plugins that were sent again.", { "plugin" })
M.plugin_unknown_fields = r:counter("parley_plugin_unknown_fields_total",
  "Fields in answers of REST plugins that the host does not know.", { "plugin" })

M.llm_calls = r:counter("parley_llm_calls_total",
  "Calls of the language model: ok, or the code of the error; circuit_open: it was not asked.",
  { "provider", "outcome" })
M.llm_seconds = r:histogram("parley_llm_call_seconds",
  "Time of a call of the language model, its repetitions included.", { "provider" })

--- Counts one request that was answered.
---@param route string|nil the path of the route's declaration; nil: none matched
---@param method string
---@param status integer
---@param seconds number
function M.http(route, method, status, seconds)
  -- A path or method that nobody declared is the client's choice: it must not make series.
  M.http_requests:with(route or "none", route and method or "any", status):inc()
  M.http_seconds:with(route or "none"):observe(seconds)
end

--- Counts one call of a plugin.
---@param plugin string
---@param code string|nil of the error; nil: it went well
---@param seconds number
function M.plugin(plugin, code, seconds)
  M.plugin_calls:with(plugin, code or "ok"):inc()
  M.plugin_seconds:with(plugin):observe(seconds)
end

--- Counts one call of a language model.
---@param provider string
---@param code string|nil of the error; nil: it went well
---@param seconds number|nil nil: it was not asked
function M.llm(provider, code, seconds)
  M.llm_calls:with(provider, code or "ok"):inc()
  if seconds then M.llm_seconds:with(provider):observe(seconds) end
end

-- reading what others count ---------------------------------------------------------------------

local function read(path)
  local f = io.open(path, "r")
  if not f then return "" end
  local text = f:read "*a"
  f:close()
  return text
end

local cpu = r:counter("process_cpu_seconds_total", "CPU time of the worker.")
local resident = r:gauge("process_resident_memory_bytes", "Resident memory of the worker.")
local threads = r:gauge("process_threads", "Threads of the worker.")
local tasks = r:gauge("parley_tasks", "Tasks that have not ended.")
local tasks_started = r:counter("parley_tasks_started_total", "Tasks that were started.")
local ops = r:gauge("parley_ops", "Waits that are pending: timers, reads, queries, requests.")
local preemptions = r:counter("parley_preemptions_total",
  "Times that a plugin was interrupted at the end of its slice.")
local core_bytes = r:gauge("parley_core_lua_bytes", "Memory of the trusted Lua state.")
local dropped = r:counter("parley_log_lines_dropped_total",
  "Log lines that stderr did not take.")

r:on_collect(function()
  local status = read "/proc/self/status"
  cpu.value = os.clock()
  resident:set(1024 * (tonumber(status:match "VmRSS:%s*(%d+)") or 0))
  threads:set(tonumber(status:match "Threads:%s*(%d+)") or 0)
  local s = task.stats()
  tasks:set(s.tasks)
  tasks_started.value = s.started
  ops:set(s.ops)
  preemptions.value = s.preemptions
  core_bytes:set(s.core_bytes)
  dropped.value = host_log.dropped()
end)

local client_requests = r:counter("parley_client_requests_total",
  "Requests to other servers that have ended; a response of any status is ok.",
  { "result" })
local client_running = r:gauge("parley_client_requests_running",
  "Requests to other servers that have not ended.")
local client_open = r:gauge("parley_client_connections",
  "Connections to other servers, the idle ones included.")
local client_opened = r:counter("parley_client_connections_total",
  "Connections to other servers that were opened.")
local client_in = r:counter("parley_client_received_bytes_total",
  "Bytes of bodies received from other servers.")
local client_out = r:counter("parley_client_sent_bytes_total",
  "Bytes of bodies sent to other servers.")

-- Value of the label `result`: field of the client's statistics.
local CLIENT_RESULTS = {
  ok = "succeeded", failed = "failed", refused = "refused", timeout = "timed_out",
  cancelled = "cancelled",
}

r:on_collect(function()
  local s = client.stats()
  for result, field in pairs(CLIENT_RESULTS) do client_requests:with(result).value = s[field] end
  client_running:set(s.active)
  client_open:set(s.open)
  client_opened.value = s.connections
  client_in.value, client_out.value = s.bytes_in, s.bytes_out
end)

local function watch_server()
  local accepted = r:counter("parley_http_connections_total", "Connections that were accepted.")
  local refused = r:counter("parley_http_connections_refused_total",
    "Connections closed at once, because too many were open.")
  local bad = r:counter("parley_http_bad_requests_total",
    "Requests refused before a route was looked for: not HTTP, too large, too slow.")
  local bytes_in = r:counter("parley_http_received_bytes_total", "Bytes received.")
  local bytes_out = r:counter("parley_http_sent_bytes_total", "Bytes sent.")
  local open = r:gauge("parley_http_connections", "Connections that are open.")
  local busy = r:gauge("parley_http_requests_running", "Requests without a complete answer.")
  return function(server)
    local s = server:stats()
    accepted.value, refused.value, bad.value = s.accepted, s.refused, s.bad
    bytes_in.value, bytes_out.value = s.bytes_in, s.bytes_out
    open:set(s.open)
    busy:set(s.busy)
  end
end

local function watch_db()
  local transactions = r:counter("parley_db_transactions_total",
    "Transactions that were asked for.")
  local groups = r:counter("parley_db_commits_total",
    "Commits to disk; each holds all transactions that had gathered.")
  local failed = r:counter("parley_db_failures_total", "Transactions that were rolled back.")
  local commit_seconds = r:counter("parley_db_commit_seconds_total", "Time spent in commits.")
  local reads = r:counter("parley_db_reads_total", "Queries of the readers.")
  local queued = r:gauge("parley_db_transactions_waiting", "Transactions before the writer.")
  local reads_queued = r:gauge("parley_db_reads_waiting", "Queries before the readers.")
  return function(db)
    local s = db:stats()
    transactions.value, groups.value, failed.value = s.transactions, s.groups, s.failed
    commit_seconds.value, reads.value = s.commit_s, s.reads
    queued:set(s.queued)
    reads_queued:set(s.reads_queued)
  end
end

local function watch_lanes()
  local waiting = r:gauge("parley_turns_waiting", "Messages behind another one of their dialog.")
  return function(lanes) waiting:set(lanes.waiting) end
end

local function watch_plugins()
  local memory = r:gauge("parley_plugin_memory_bytes",
    "Memory of the plugin's state in the generation that serves.", { "plugin" })
  local circuit = r:gauge("parley_plugin_circuit_open",
    "1 while the plugin is left alone, or tried again, because it has failed too often.",
    { "plugin" })
  local generation = r:gauge("parley_generation",
    "Number of the generation of plugins that serves.")
  return function(manager)
    generation:set(manager.number)
    for _, p in ipairs(manager.current and manager.current.plugins or {}) do
      memory:with(p.name):set(p.driver:stats().memory or 0)
      circuit:with(p.name):set(p.circuit.state == "closed" and 0 or 1)
    end
  end
end

local KINDS = {
  server = watch_server, db = watch_db, lanes = watch_lanes, manager = watch_plugins,
}

local watched, updates = {}, {}

--- Reads the statistics of a part of the worker from now on, one object of each kind.
---@param kind "server"|"db"|"lanes"|"manager"
---@param object table|nil nil: it is closed; its metrics stay as they were
function M.watch(kind, object)
  if not updates[kind] then updates[kind] = KINDS[kind]() end
  watched[kind] = object
end

r:on_collect(function()
  for kind, object in pairs(watched) do updates[kind](object) end
end)

return M
