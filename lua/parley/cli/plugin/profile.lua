-- parley plugin profile: where a plugin of the running host spends its time and its memory.

local exit = require "parley.cli.exit"
local fs = require "host.fs"
local home = require "parley.cli.home"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local profile_report = require "parley.cli.profile_report"
local task = require "host.task"

local SECONDS = 10
local AT_ONCE_S = 5 -- of one request; a worker gives no more than ten
local ANSWER_S = 25
local ROWS = 20

local M = {
  about = [[
Looks at a plugin of the running host while it works: which of its functions have the CPU, which
calls of the host it waits for, and with --memory which functions allocate. Other plugins, and this
one when nobody looks, run as always. --out writes the stacks for a flame graph, in microseconds,
and those of --memory to FILE.memory, in bytes.]],
  arguments = { { name = "PLUGIN", help = "its name", needed = true } },
  options = {
    {
      name = "seconds", value = "N", default = SECONDS, help = "how long",
      check = options.number(1, 600, true),
    },
    { name = "memory", help = "what is allocated, too" },
    { name = "out", value = "FILE", help = "write the stacks, one in a line" },
    options.home, options.output,
  },
}

-- Asks one worker until the time is over.
local function ask(o, index, report)
  local left = o.seconds
  while left > 0 do
    local seconds = math.min(left, AT_ONCE_S)
    local r, err = home.ask(o.home, {
      cmd = "plugin.profile", worker = index, plugin = o[1], seconds = seconds, memory = o.memory,
    }, ANSWER_S)
    if not r then return nil, err end
    report:add(r)
    left = left - seconds
  end
  return true
end

-- All workers at once. One that is being replaced is left out, when another one has answered.
local function gather(o)
  local status, err = home.ask(o.home, { cmd = "status" }, ANSWER_S)
  if not status then return nil, err end
  local report, asked = profile_report.new(), {}
  for i, w in ipairs(status.workers) do asked[i] = task.spawn(ask, o, w.index, report) end
  report.workers = 0
  for _, one in ipairs(asked) do
    local done, ok, problem = one:join()
    if done and ok then report.workers = report.workers + 1 else err = problem or err end
  end
  if report.workers == 0 then return nil, err end
  return report
end

local function time_text(us)
  return us >= 1e6 and ("%.2f s"):format(us / 1e6) or ("%.1f ms"):format(us / 1000)
end

local function bytes_text(n)
  return n >= 1048576 and ("%.1f MB"):format(n / 1048576) or ("%.1f KB"):format(n / 1024)
end

local function share(n, all) return all > 0 and ("%.0f %%"):format(100 * n / all) or "-" end

local function show_functions(list, key, all, text, with_line)
  local rows = {}
  for i = 1, math.min(#list, ROWS) do
    local f = list[i]
    rows[i] = {
      text(f["self_" .. key]), share(f["self_" .. key], all), text(f["total_" .. key]),
      share(f["total_" .. key], all), f.at, f.name,
      with_line and f.line and f.self_us > 0 and ("mostly line %d"):format(f.line) or nil,
    }
  end
  output.table({ "SELF", "", "TOTAL", "", "WHERE", "FUNCTION" }, rows)
  if #list > ROWS then io.stdout:write(("and %d more\n"):format(#list - ROWS)) end
end

local function show(o, report)
  local function out(fmt, ...) io.stdout:write(fmt:format(...)) end
  out("%s: %d events in %d s, %.1f ms each from end to end; %s of CPU in %d samples\n", o[1],
    report.events, o.seconds,
    report.events > 0 and 1000 * report.event_seconds / report.events or 0, time_text(report.us),
    report.samples)
  if report.us > 0 then
    out "\nCPU\n"
    show_functions(report:functions "us", "us", report.us, time_text, true)
  end
  local waits, rows = report:waited(), {}
  for i, w in ipairs(waits) do
    rows[i] = { w.name, ("%d"):format(w.calls), time_text(w.seconds * 1e6),
      time_text(w.seconds * 1e6 / w.calls) }
  end
  if #rows > 0 then
    out "\n"
    output.table({ "WAITED FOR", "CALLS", "TOTAL", "EACH" }, rows)
  end
  if o.memory and report.bytes > 0 then
    out("\nALLOCATED: %s\n", bytes_text(report.bytes))
    show_functions(report:functions "bytes", "bytes", report.bytes, bytes_text)
  end
end

local function document(o, report)
  local functions = json.array(report:functions "us")
  local seen = {}
  for _, f in ipairs(functions) do seen[f.at] = true end
  for _, f in ipairs(o.memory and report:functions "bytes" or {}) do
    if not seen[f.at] then functions[#functions + 1] = f end
  end
  return {
    plugin = o[1], seconds = o.seconds, workers = report.workers, events = report.events,
    event_seconds = report.event_seconds, cpu_us = report.us, samples = report.samples,
    bytes = o.memory and report.bytes or nil, functions = functions,
    waits = json.array(report:waited()),
  }
end

local function write(o, report)
  local ok, err = fs.write(o.out, report:collapsed "us")
  if ok and o.memory then ok, err = fs.write(o.out .. ".memory", report:collapsed "bytes") end
  return ok, err
end

function M.run(o)
  if o.out then -- before anybody has waited for nothing
    local ok, err = fs.write(o.out, "")
    if not ok then return exit.failed(err) end
  end
  local report, err = gather(o)
  if not report then
    local code = exit.failed(err)
    local is_no = err.code == "plugin_not_found" or err.code == "not_supported"
    return is_no and exit.NO or code
  end
  if o.output == "json" then output.json(document(o, report)) else show(o, report) end
  io.stdout:flush()
  if report.events == 0 then
    io.stderr:write("parley: nothing has reached the plugin meanwhile: say something to it, or "
      .. "give it more --seconds\n")
  end
  if o.out then
    local ok, problem = write(o, report)
    if not ok then return exit.failed(problem) end
  end
  return exit.DONE
end

return M
