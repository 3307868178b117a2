-- neighbours.lua URL TOKEN SECONDS ROUNDS RATE PLUGINS HOW: what plugins that run away without end do to the others:
-- the same messages at the same rate, over HTTP and to the disk, rounds in turn, and the median of the ratios. Their own
-- messages come in both kinds of rounds, as often: in one they are stopped at the end of their budget, or of their
-- memory when HOW is "fill", in the other they answer at once.

local figures = require "tools.bench.plugins.figures"
local http = require "host.http_client"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local url, token, seconds, rounds, rate, plugins, how = ...
seconds, rounds, rate, plugins = tonumber(seconds), tonumber(rounds), tonumber(rate), tonumber(plugins)

local DIALOGS = 64
local AT_ONCE = 2 -- messages for a runaway that are always under way
local GOAL = 1.10

local function say(dialog, text)
  local r, err = http.request {
    method = "POST", url = url .. "/api/v1/dialogs/" .. dialog .. "/messages", timeout = 30, allow_private = true,
    headers = { ["X-Bot-Token"] = token, ["Content-Type"] = "application/json" },
    body = json.encode { user = { external_id = dialog }, type = "text", text = text },
  }
  assert(r, err and err.message)
  assert(r.status == 200, r.body)
  return json.decode(r.body)
end

-- Messages leave at their time, whether the ones before are answered or not, and are late from then on.
local function echo_load()
  local took, open, sent, since = {}, 0, 0, time.mono()
  local function one(due, dialog)
    assert(say(dialog, "/echo hello").text == "hello")
    took[#took + 1] = time.mono() - due
    open = open - 1
  end
  while sent < seconds * rate do
    local due = since + sent / rate
    local early = due - time.mono()
    if early > 0 then task.sleep(early) end
    open, sent = open + 1, sent + 1
    task.spawn(one, due, "bench-" .. sent % DIALOGS)
  end
  while open > 0 do task.sleep(0.001) end
  return figures.quantile(took, 0.5) * 1000, figures.quantile(took, 0.99) * 1000
end

-- Two of three messages end well, or its circuit would open and it were left alone.
local stopped, took_s = 0, 0.1
local function run_away(i, well)
  local dialog, command = "runaway-" .. i, "/runaway" .. i % plugins + 1
  while true do
    local since = time.mono()
    local answer = say(dialog, command .. (well and " well" or " " .. how))
    if well then
      task.sleep(took_s)
    else
      assert(answer.status == "fallback")
      stopped, took_s = stopped + 1, 0.9 * took_s + 0.1 * (time.mono() - since)
    end
    for _ = 1, 2 do say(dialog, command .. " well") end
  end
end

local function round_with(well)
  local runaways = {}
  for i = 1, AT_ONCE * plugins do runaways[i] = task.spawn(run_away, i, well) end
  local p50, p99 = echo_load()
  for _, t in ipairs(runaways) do t:cancel() end
  task.sleep(0.3) -- what was cut off is over by then
  return p50, p99
end

for i = 1, DIALOGS do say("bench-" .. i % DIALOGS, "/echo hello") end
local ratios, alone, beside, p50_ratios = {}, {}, {}, {}
for round = 1, rounds do
  local busy50, busy = round_with(false)
  local calm50, calm = round_with(true)
  ratios[round], alone[round], beside[round], p50_ratios[round] = busy / calm, calm, busy, busy50 / calm50
end
local ratio = figures.median(ratios)
figures.row(("neighbours' p99 at %d messages/s"):format(rate),
  ("%.2f ms alone, %.2f ms beside, ratio %.2f"):format(figures.median(alone), figures.median(beside), ratio),
  "at most 1.10", ratio <= GOAL)
figures.row("  their median", ("ratio %.2f"):format(figures.median(p50_ratios)))
figures.row("  runaways stopped meanwhile", ("%d in %d s"):format(stopped, seconds * rounds))
