-- What a call into a plugin costs, how long a reload takes, how large a state is.

local config = require "parley.config"
local generation = require "parley.plugins.generation"
local json = require "host.json"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local temporary = require "parley.util.temporary"
local time = require "host.time"

local seconds = tonumber((...)) or 1

local MANIFEST = [[{"schema":"v1alpha","name":"bench","version":"1.0.0","api":"1","transport":"lua",
  "commands":[{"name":"bench"}]}]]
local MAIN = [[
local p = parley.plugin()
p.on.command("bench", function(c, text)
  c.session.n = (c.session.n or 0) + 1
  c:reply(text)
end)
return p]]

local function rounds(f)
  local best = {}
  for r = 1, 5 do
    local n, since = 0, time.mono()
    repeat
      for _ = 1, 200 do f() end
      n = n + 200
    until time.mono() - since > seconds / 5
    best[r] = n / (time.mono() - since)
  end
  table.sort(best)
  return best[3]
end

local function row(what, value) print(("%-46s %s"):format(what, value)) end

local m = assert(manifest.check(MANIFEST))
local driver = assert(lua_driver.new(m, { main = MAIN, lib = {} }))
local request = {
  invocation_id = "01a1fcce-897d-729f-bd01-262bc42736da", attempt = 1, deadline_ms = 5000, plugin = "bench",
  dialog = { id = "d", channel = "api", reset_version = 0, state = {} },
  user = { id = "01a1fcce-897d-729f-bd01-262bc42736da", role = "user", locale = "en", name = "Alice" },
  event = { type = "text", message = { user = { external_id = "alice" }, type = "text", text = "/bench " } },
  config = {}, trace_id = "0af7651916cd43dd8448eb211c80319c",
}
local size = #json.encode(request)
request.event.message.text = "/bench " .. ("x"):rep(1024 - size)
row("envelope", #json.encode(request) .. " bytes as JSON")
local function no_door() end
local rate = rounds(function() assert(driver:invoke(request, no_door)) end)
row("call in and out", ("%.1f microseconds, %d per second on one core"):format(1e6 / rate, rate))

local function resident()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmRSS:%s*(%d+)"
    if kb then return tonumber(kb) * 1024 end
  end
end
row("memory of a state", ("%.1f KB of Lua"):format(driver:stats().memory / 1024))
local states, before = {}, resident()
for i = 1, 200 do states[i] = assert(lua_driver.new(m, { main = MAIN, lib = {} })) end
row("resident, of 200 states", ("%.1f KB each"):format((resident() - before) / 200 / 1024))
for _, s in ipairs(states) do s:close() end

local home = assert(temporary.folder())
local cfg = assert(config.load(home, { getenv = function() end }))
local g = assert(generation.build(cfg))
local build = rounds(function() assert(generation.build(cfg)):close() end)
row(("build of a generation, %d plugins"):format(#g.plugins), ("%.1f ms"):format(1000 / build))
temporary.remove(home)
