-- parley plugin top: what each plugin does now, in all workers of the running host.

local duration = require "parley.util.duration"
local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local http = require "host.http_client"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local samples = require "parley.ops.samples"
local task = require "host.task"
local time = require "host.time"

local INTERVAL_S = 2

local M = {
  about = [[
Shows what each plugin does, from one look at the running host to the next: calls in a second, those
that failed, how long they take, the share of a core that its code takes, its memory, and the calls
that wait for their next slice. The busiest stand first.]],
  options = {
    {
      name = "interval", value = "TIME", check = duration.check,
      help = "between two looks (default 2s)",
    },
    {
      name = "times", value = "N", check = options.number(1, 1000000, true),
      help = "looks, instead of until Ctrl-C",
    },
    options.home, options.output,
  },
}

local function scrape(address)
  local r, err = http.request {
    method = "GET", url = "http://" .. address .. "/metrics", timeout = 5, connect_timeout = 2,
    max_body = 64 * 1024 * 1024, allow_private = true,
  }
  if not r then return nil, err end
  if r.status ~= 200 then
    return nil, { code = "io", message = ("the host answers %d at /metrics"):format(r.status) }
  end
  return samples.read(r.body)
end

local function plugin_of(out, sample)
  local name = sample.labels.plugin
  out[name] = out[name] or {
    calls = 0, failed = 0, cpu = 0, memory = 0, waiting = 0, state = "-", buckets = {},
  }
  return out[name]
end

-- What a scrape says of each plugin, as sums since the host began.
local function read(found)
  local out = {}
  local function each(name, fn)
    for _, s in ipairs(found[name] or {}) do
      if s.labels.plugin then fn(plugin_of(out, s), s) end
    end
  end
  each("parley_plugin_state", function(p, s) if s.value > 0 then p.state = s.labels.state end end)
  each("parley_plugin_calls_total", function(p, s)
    p.calls = p.calls + s.value
    if s.labels.outcome ~= "ok" then p.failed = p.failed + s.value end
  end)
  each("parley_plugin_call_seconds_bucket", function(p, s)
    local le = s.labels.le == "+Inf" and math.huge or tonumber(s.labels.le)
    p.buckets[le] = (p.buckets[le] or 0) + s.value
  end)
  each("parley_plugin_cpu_seconds_total", function(p, s) p.cpu = p.cpu + s.value end)
  each("parley_plugin_memory_bytes", function(p, s) p.memory = p.memory + s.value end)
  each("parley_plugin_calls_waiting", function(p, s) p.waiting = p.waiting + s.value end)
  return out
end

-- The bound below which 95 of 100 calls of the time between two looks were; nil: there were none.
local function p95(now, before)
  local bounds, total = {}, 0
  for le in pairs(now.buckets) do bounds[#bounds + 1] = le end
  table.sort(bounds)
  local function between(le) return now.buckets[le] - (before.buckets[le] or 0) end
  if #bounds > 0 then total = between(bounds[#bounds]) end
  if total <= 0 then return nil end
  for _, le in ipairs(bounds) do
    if between(le) >= 0.95 * total then return le end
  end
end

local NONE = { calls = 0, failed = 0, cpu = 0, buckets = {} }

local function rows_of(now, before, seconds)
  local out = json.array()
  for name, p in pairs(now) do
    local b = before[name] or NONE
    -- A worker that was replaced begins at nothing.
    local function rate(key) return math.max(0, p[key] - b[key]) / seconds end
    local bound = p95(p, b)
    out[#out + 1] = {
      plugin = name, state = p.state, calls_per_second = rate "calls",
      failed_per_second = rate "failed", cpu_share = rate "cpu", memory_bytes = p.memory,
      calls_waiting = p.waiting, p95_seconds = bound ~= math.huge and bound or nil,
    }
  end
  table.sort(out, function(a, b)
    if a.cpu_share ~= b.cpu_share then return a.cpu_share > b.cpu_share end
    if a.calls_per_second ~= b.calls_per_second then
      return a.calls_per_second > b.calls_per_second
    end
    return a.plugin < b.plugin
  end)
  return out
end

local function show(rows)
  local cells = {}
  for i, r in ipairs(rows) do
    cells[i] = {
      r.plugin, r.state, ("%.1f"):format(r.calls_per_second),
      ("%.1f"):format(r.failed_per_second),
      r.p95_seconds and ("<= %g ms"):format(r.p95_seconds * 1000) or "-",
      ("%.1f %%"):format(100 * r.cpu_share), ("%.1f MB"):format(r.memory_bytes / 1048576),
      ("%d"):format(r.calls_waiting),
    }
  end
  output.table({ "PLUGIN", "STATE", "CALLS/S", "FAILED/S", "P95", "CPU", "MEMORY", "WAITING" },
    cells)
  io.stdout:flush()
end

function M.run(o)
  local status, err = home.ask(o.home, { cmd = "status" }, 10)
  if not status then return exit.failed(err) end
  local address = status.listen.ops
  local found
  found, err = scrape(address)
  if not found then return exit.failed(err) end
  local before, since, looks = read(found), time.mono(), 0
  local interval = o.interval or INTERVAL_S
  while not o.times or looks < o.times do
    task.sleep(interval)
    found, err = scrape(address)
    if not found then return exit.failed(err) end
    local now, at = read(found), time.mono()
    local rows = rows_of(now, before, at - since)
    if o.output == "json" then
      output.json(rows)
    else
      if looks > 0 then io.stdout:write "\n" end
      show(rows)
    end
    before, since, looks = now, at, looks + 1
  end
  return exit.DONE
end

return M
