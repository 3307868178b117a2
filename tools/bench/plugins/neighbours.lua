-- neighbours.lua URL TOKEN SECONDS ROUNDS RATE PLUGINS HOW: what plugins that run away without end do to the others:
-- the same messages at the same rate, over HTTP and to the disk, rounds in turn, and the median of the ratios. Their own
-- messages come in both kinds of rounds, as often: in one they are stopped at the end of their budget, or of their
-- memory when HOW is "fill", in the other they answer at once.

local figures = require "tools.bench.plugins.figures"
local http = require "host.http_client"
local json = require "host.json"
local process = require "host.process"
local task = require "host.task"
local time = require "host.time"

local url, token, seconds, rounds, rate, plugins, how = ...
seconds, rounds, rate, plugins = tonumber(seconds), tonumber(rounds), tonumber(rate), tonumber(plugins)

local CHATS = 500 -- of build/tools/bench/paced
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

-- Messages leave at their time, whether the ones before are answered or not, and are late from then on. A program in C sends
-- them: the collector of one in Lua would be among what is measured.
local sent = 0
local function echo_load(length)
  local head = ("POST /api/v1/dialogs/bench-%%c/messages HTTP/1.1\nHost: x\nX-Bot-Token: %s\nContent-Type: application/json\n")
    :format(token)
  local body = '{"user":{"external_id":"bench-%c"},"type":"text","text":"/echo hello"}'
  local p = assert(process.spawn { argv = {
    "build/tools/bench/paced", url:match ":(%d+)$", tostring(rate), tostring(length), "50", tostring(sent), head, body,
  } })
  local out = assert(p:read(nil, length + 60))
  assert(assert(p:wait(10)).code == 0, "paced has failed")
  sent = sent + length * rate
  local p50, p99, failed = out:match "(%S+) (%S+) (%d+)"
  assert(failed == "0", out)
  return tonumber(p50), tonumber(p99)
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
  local p50, p99 = echo_load(seconds)
  for _, t in ipairs(runaways) do t:cancel() end
  task.sleep(0.3) -- what was cut off is over by then
  return p50, p99
end

echo_load(math.ceil(2 * CHATS / rate)) -- each of its dialogs has been there
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
