-- What a call into a plugin in the worker costs, with an envelope of 1 KB, and how large its state is.

local figures = require "tools.bench.plugins.figures"
local json = require "host.json"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local time = require "host.time"

local seconds = tonumber((...)) or 1
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
local driver = assert(lua_driver.new(m, { main = MAIN, lib = {} }))

local rates = {}
for round = 1, ROUNDS do
  local n, since = 0, time.mono()
  repeat
    for _ = 1, 200 do assert(driver:invoke(request, no_door)) end
    n = n + 200
  until time.mono() - since > seconds / ROUNDS
  rates[round] = n / (time.mono() - since)
end
local rate = figures.median(rates)
figures.row("call in and out, 1 KB", ("%.1f us, %d/s on one core"):format(1e6 / rate, rate),
  "at most 15 us, 60 000/s", rate >= 60000 and 1e6 / rate <= 15)

local since, states = time.mono(), {}
local before = figures.resident "self"
for i = 1, 200 do states[i] = assert(lua_driver.new(m, { main = MAIN, lib = {} })) end
local took = (time.mono() - since) / #states
figures.row("a state", ("%.0f KB of Lua, %.0f KB resident, %.2f ms to build"):format(states[1]:stats().memory / 1024,
  (figures.resident "self" - before) * 1024 / #states, took * 1000))
