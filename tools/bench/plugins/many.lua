-- many.lua URL TOKEN PID N: a host that has loaded N plugins, when it is ready and when each has had an event.

local figures = require "tools.bench.plugins.figures"
local http = require "host.http_client"
local json = require "host.json"
local time = require "host.time"

local url, token, pid, n = ...
local GOAL_MB = 64

local function say(dialog, text)
  local r, err = http.request {
    method = "POST", url = url .. "/api/v1/dialogs/" .. dialog .. "/messages", timeout = 30, allow_private = true,
    headers = { ["X-Bot-Token"] = token, ["Content-Type"] = "application/json" },
    body = json.encode { user = { external_id = "many" }, type = "text", text = text },
  }
  assert(r, err and err.message)
  return json.decode(r.body).text
end

local ready = figures.resident(pid)
figures.row(("%d plugins loaded"):format(n), ("%.0f MB, the whole worker"):format(ready),
  ("at most %d MB"):format(GOAL_MB), ready <= GOAL_MB)
local cold = {}
for i = 1, tonumber(n) do
  local name = ("plugin%04d"):format(i)
  local since = time.mono()
  assert(say("many", "/" .. name .. " hi") == name .. ": hi")
  cold[i] = (time.mono() - since) * 1000
end
figures.row("  after an event for each, one by one", ("%.0f MB; a turn takes %.1f ms, p99 %.1f"):format(
  figures.resident(pid), figures.median(cold), figures.quantile(cold, 0.99)))
