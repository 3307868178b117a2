-- tools/bench/cost: turns in this process, on SQLite: one after the other and without sockets, or, of a bot that polls the
-- simulated Telegram at API, of people who write again when they were answered.
--   cost.lua run N [API TOKEN]    makes N of them: what a profiler looks at
--   cost.lua bytes N [API TOKEN]  prints what N of them allocate, and the lines that do

-- A profiler does not follow into the process that compiles sources first, and those here are ours.
package.loaded["parley.plugins.precompile"] = {
  new = function()
    return { compile = function() return true end, close = function() end }
  end,
}

local app = require "parley.http.app"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local log = require "parley.ops.log"
local task = require "host.task"

local WARM, LINES, WORTH = 200, 40, 40 -- turns that are not counted; lines shown, of so many bytes

local PEOPLE = 64 -- of a bot

local what, number, api, token = ...
local bot = api and ("telegram = { token = %q, api = %q, limits = { paced = false } }"):format(token, api) or ""
local h = host.start { config = "return { rate_limits = {}, " .. bot .. " }" }
local core = h.core
local answer = app.new {
  router = core.router, verify = core.verify, limits = core.limits, db = core.db, log = log.write,
  level = log.level,
}

-- What a handler needs of a request.
local Request = {}
Request.__index = Request

local HEADERS = { ["content-type"] = "application/json", ["x-bot-token"] = h.token }
local BODY = '{"user":{"external_id":"user-%d"},"type":"text","text":"/echo hello there",'
  .. '"message_id":"m-%d"}'

function Request.header(_, name) return HEADERS[name:lower()] end
function Request.count(_, name) return HEADERS[name:lower()] and 1 or 0 end
function Request:body() return self.text end
function Request:respond(status, _, text) self.status, self.answered = status, text end

local made = 0
local function posted(n)
  for _ = 1, n do
    made = made + 1
    local request = setmetatable({ text = BODY:format(made % 20, made) }, Request)
    answer(request, "POST", "/api/v1/dialogs/cost-" .. made % 20 .. "/messages")
    if request.status ~= 200 then error(request.answered or "no answer") end
  end
end

local function ask(path, body)
  local r = assert(http.request {
    method = body and "POST" or "GET", url = api .. path, body = body and json.encode(body), allow_private = true,
    headers = { ["Content-Type"] = "application/json" },
  })
  return json.decode(r.body)
end

-- A bot is flooded with all of it at once when nobody waits for its answers: they do.
local function echoed(n)
  ask("/sim/load", { people = PEOPLE, messages = math.ceil(n / PEOPLE) })
  repeat task.sleep(1) until ask("/sim/load").done
end

local turns = api and echoed or posted

local function allocated() return collectgarbage "count" * 1024 end

local function without_collector(f)
  collectgarbage()
  collectgarbage "stop"
  f()
  collectgarbage "restart"
end

-- Bytes by line. What a function in C makes counts for the line that has called it.
local function by_line(n)
  local bytes, last, line = {}, allocated(), "?"
  debug.sethook(function(_, at)
    bytes[line] = (bytes[line] or 0) + allocated() - last
    local source = debug.getinfo(2, "S").short_src
    line = (source:match "[^/]*/[^/]*$" or source) .. ":" .. at
    last = allocated() -- what the hook itself has made counts for nobody
  end, "l")
  turns(n)
  debug.sethook()
  return bytes
end

local function print_bytes(n)
  jit.off() -- what is compiled has no lines, and makes less
  turns(WARM)
  local before = allocated()
  without_collector(function()
    before = allocated()
    turns(n)
    before = allocated() - before
  end)
  print(("%.0f bytes a turn"):format(before / n))
  without_collector(function()
    local bytes, lines = by_line(n), {}
    for line in pairs(bytes) do lines[#lines + 1] = line end
    table.sort(lines, function(a, b) return bytes[a] > bytes[b] end)
    for i = 1, LINES do
      if lines[i] and bytes[lines[i]] / n >= WORTH then
        print(("%8.0f  %s"):format(bytes[lines[i]] / n, lines[i]))
      end
    end
  end)
end

if what == "run" then
  turns(tonumber(number))
elseif what == "bytes" then
  print_bytes(tonumber(number))
end
h:stop()
