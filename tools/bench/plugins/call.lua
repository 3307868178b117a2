-- What a call into a plugin costs, with an envelope of 1 KB, and how large its state is: in the worker, or in a
-- process of its own (RING isolated).

local figures = require "tools.bench.plugins.figures"
local isolate = require "host.isolate"
local json = require "host.json"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local task = require "host.task"
local time = require "host.time"

local seconds, ring = tonumber((...)) or 1, select(2, ...) or "trusted"
local ROUNDS = 5

local MAIN = [[
local p = parley.plugin()
p.on.command("bench", function(c, text)
  c.session.n = (c.session.n or 0) + 1
  c:reply(text)
end)
return p]]

local request = {
  invocation_id = "01a1fcce-897d-729f-bd01-262bc42736da", attempt = 1, deadline_ms = 5000, plugin = "bench",
  dialog = { id = "d", channel = "api", reset_version = 0, state = {} },
  user = { id = "01a1fcce-897d-729f-bd01-262bc42736da", role = "user", locale = "en", name = "Alice" },
  event = { type = "text", message = { user = { external_id = "alice" }, type = "text", text = "/bench " } },
  config = {}, trace_id = "0af7651916cd43dd8448eb211c80319c",
}
request.event.message.text = "/bench " .. ("x"):rep(1024 - #json.encode(request))
assert(#json.encode(request) == 1024)

local function no_door() end

local m = assert(manifest.check(figures.MANIFEST:format("bench", "{}", "bench")))
local files, how = { main = MAIN, lib = {} }, { ring = ring }
local driver = assert(lua_driver.new(m, files, how))

-- The time of the core beside that of the clock: on a machine that others use they differ.
local rates, cpu_us = {}, {}
for round = 1, ROUNDS do
  local n, since, cpu = 0, time.mono(), os.clock()
  repeat
    for _ = 1, 200 do assert(driver:invoke(request, no_door)) end
    n = n + 200
  until time.mono() - since > seconds / ROUNDS
  rates[round] = n / (time.mono() - since)
  cpu_us[round] = (os.clock() - cpu) * 1e6 / n
end
local rate = figures.median(rates)
local us = 1e6 / rate

if ring == "trusted" then
  figures.row("call in and out, 1 KB", ("%.1f us (%.1f of CPU), %d/s"):format(us, figures.median(cpu_us), rate),
    "at most 15 us, 60 000/s", rate >= 60000 and us <= 15)
  local since, states = time.mono(), {}
  local before = figures.resident "self"
  for i = 1, 200 do states[i] = assert(lua_driver.new(m, files)) end
  local took = (time.mono() - since) / #states
  figures.row("a state", ("%.0f KB of Lua, %.0f KB resident, %.2f ms to build"):format(states[1]:stats().memory / 1024,
    (figures.resident "self" - before) * 1024 / #states, took * 1000))
  return
end

figures.row("isolated: call in and out, 1 KB", ("%.1f us, %d/s"):format(us, rate), "at most 80 us", us <= 80)

-- Milliseconds until a plugin can be called, from a process that has to be started, or from a spare.
local function start(spares)
  isolate.keep(spares)
  local all = {}
  for i = 1, 20 do
    while isolate.stats().spares < spares do task.sleep(0.001) end
    local since = time.mono()
    all[i] = assert(lua_driver.new(m, files, how))
    all[i].took = 1000 * (time.mono() - since)
  end
  local out = {}
  for i, d in ipairs(all) do
    out[i] = d.took
    d:close()
  end
  return figures.median(out)
end
figures.row("isolated: a state", ("%.1f ms from a spare, %.1f ms without one"):format(start(1), start(0)))
figures.row("isolated: a process", ("%.1f MB of its own"):format(figures.private(driver:stats().pid)))
