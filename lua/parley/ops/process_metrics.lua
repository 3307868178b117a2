-- What C counts in every process: the engine, the log, the client of other servers.

local client = require "host.http_client"
local engine = require "host.engine"
local host_fs = require "host.fs"
local host_log = require "host.log"
local isolate = require "host.isolate"
local pool = require "parley.plugins.pool"
local task = require "host.task"

local M = {}

local function read(path)
  local f = io.open(path, "r")
  if not f then return "" end
  local text = f:read "*a"
  f:close()
  return text
end

local function register_engine(r)
  local workers = r:gauge("parley_workers", "Workers that run.")
  local info = r:gauge("parley_info", "1; the label is what one wants to know.", { "version" },
    { merge = "max" })
  local cpu = r:counter("process_cpu_seconds_total", "CPU time of the workers.")
  local resident = r:gauge("process_resident_memory_bytes", "Resident memory of the workers.")
  local threads = r:gauge("process_threads", "Threads of the workers.")
  local tasks = r:gauge("parley_tasks", "Tasks that have not ended.")
  local tasks_started = r:counter("parley_tasks_started_total", "Tasks that were started.")
  local ops = r:gauge("parley_ops", "Waits that are pending: timers, reads, queries, requests.")
  local preemptions = r:counter("parley_preemptions_total",
    "Times that a plugin was interrupted at the end of its slice.")
  local core_bytes = r:gauge("parley_core_lua_bytes", "Memory of the trusted Lua states.")
  local dropped = r:counter("parley_log_lines_dropped_total",
    "Log lines that stderr did not take.")

  workers:set(1) -- this one; those beside it are added
  info:with(host_fs.version()):set(1)
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
end

-- What plugins take of the loop, those that are too many for a series each together.
local function register_shares(r)
  local cpu = r:counter("parley_plugin_cpu_seconds_total",
    "Time that the code of a plugin, or of the rules, has run in the workers.", { "plugin" })
  local preemptions = r:counter("parley_plugin_preemptions_total",
    "Times that it was interrupted at the end of its slice.", { "plugin" })
  local waiting = r:gauge("parley_plugin_calls_waiting",
    "Calls that wait for the next slice of their plugin.", { "plugin" })
  r:on_collect(function()
    local sums = {}
    local function add(family, name, value)
      local series = family:with(name)
      sums[series] = (sums[series] or 0) + value
    end
    for name, share in pairs(engine.shares()) do
      add(cpu, name, share.cpu_s)
      add(preemptions, name, share.preemptions)
      add(waiting, name, share.waiting)
    end
    for series, sum in pairs(sums) do series.value = sum end
  end)
end

local function register_pool(r)
  local states = r:gauge("parley_plugin_states", "States of Lua plugins that are in memory.")
  local bytes = r:gauge("parley_plugin_states_bytes",
    "What they take together, of plugins_memory_mb in each worker.")
  local opened = r:counter("parley_plugin_states_opened_total",
    "States that were built: at a reload, after a stop, for a plugin whose state was closed.")
  local closed = r:counter("parley_plugin_states_closed_total",
    "States of idle plugins that were closed because all together took too much.")
  local closing = r:gauge("parley_plugin_states_closing_bytes",
    "Memory of states that were given up, and that threads have not freed yet.")
  r:on_collect(function()
    local s = pool.stats()
    closing:set(task.stats().closing_bytes)
    states:set(s.states)
    bytes:set(s.bytes)
    opened.value, closed.value = s.opened, s.closed
  end)
end

local function register_turns(r)
  local length = r:histogram("parley_loop_turn_seconds",
    "Time of a turn of the event loop: what happens meanwhile waits so long at most.", nil,
    engine.turns().bounds)
  r:on_collect(function()
    local turns = engine.turns()
    length.counts, length.sum = turns.counts, turns.seconds
  end)
end

-- Value of the label `result`: field of the client's statistics.
local CLIENT_RESULTS = {
  ok = "succeeded", failed = "failed", refused = "refused", timeout = "timed_out",
  cancelled = "cancelled",
}

local function register_client(r)
  local requests = r:counter("parley_client_requests_total",
    "Requests to other servers that have ended; a response of any status is ok.",
    { "result" })
  local running = r:gauge("parley_client_requests_running",
    "Requests to other servers that have not ended.")
  local open = r:gauge("parley_client_connections",
    "Connections to other servers, the idle ones included.")
  local opened = r:counter("parley_client_connections_total",
    "Connections to other servers that were opened.")
  local bytes_in = r:counter("parley_client_received_bytes_total",
    "Bytes of bodies received from other servers.")
  local bytes_out = r:counter("parley_client_sent_bytes_total",
    "Bytes of bodies sent to other servers.")
  r:on_collect(function()
    local s = client.stats()
    for result, field in pairs(CLIENT_RESULTS) do requests:with(result).value = s[field] end
    running:set(s.active)
    open:set(s.open)
    opened.value = s.connections
    bytes_in.value, bytes_out.value = s.bytes_in, s.bytes_out
  end)
end

local function register_isolation(r)
  local alive = r:gauge("parley_isolated_processes",
    "Confined processes: those of isolated plugins, spares, and those that only compile.")
  local spares = r:gauge("parley_isolated_spares", "Confined processes that wait for a plugin.")
  local started = r:counter("parley_isolated_processes_started_total",
    "Confined processes that were started.")
  local ended = r:counter("parley_isolated_processes_ended_total",
    "Confined processes that have ended; closed is how it should be.", { "reason" })
  r:on_collect(function()
    local s = isolate.stats()
    alive:set(s.alive)
    spares:set(s.spares)
    started.value = s.started
    for reason, n in pairs(s.ended) do ended:with(reason).value = n end
  end)
end

---@param registry parley.metrics.Registry
function M.register(registry)
  register_engine(registry)
  register_shares(registry)
  register_pool(registry)
  register_turns(registry)
  register_client(registry)
  register_isolation(registry)
end

return M
