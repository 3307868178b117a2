-- parley plugin logs: what plugins have logged of late, and what the host has to say of them.

local duration = require "parley.util.duration"
local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local json = require "host.json"
local log_lines = require "parley.cli.log_lines"
local options = require "parley.cli.options"
local rfc3339 = require "parley.util.rfc3339"
local task = require "host.task"
local time = require "host.time"

local LINES, LINES_MAX = 100, 3000
local FOLLOW_S = 0.25 -- between two looks: what a person takes for at once
local ASK_S = 10

local function since(text)
  local seconds = duration.check(text)
  if seconds then return time.now_ms() - seconds * 1000 end
  local ms = rfc3339.parse(text)
  if ms then return ms end
  return nil, ("how long ago, such as 90s or 2h, or a time like 2030-12-24T08:00:00Z expected, "
    .. "got '%s'"):format(text)
end

local M = {
  about = [[
Shows what plugins have logged of late in the running host: their own lines, errors with file and
line, slow handlers with what they have waited for. Each worker keeps its latest lines in memory,
those of the level debug too, whatever the host's log_level is; the log on stderr has them all.]],
  arguments = { { name = "PLUGIN", help = "of this one only" } },
  options = {
    { name = "follow", short = "f", help = "go on with what comes, until Ctrl-C" },
    {
      name = "level", value = "LEVEL", default = "info",
      help = "debug, info, warn or error, and what is worse",
      check = options.one_of { "debug", "info", "warn", "error" },
    },
    { name = "dialog", value = "ID", help = "of this dialog only" },
    { name = "since", value = "TIME", help = "how long ago, 90s or 2h, or a time", check = since },
    {
      name = "lines", value = "N", default = LINES, help = "the latest so many",
      check = options.number(1, LINES_MAX, true),
    },
    options.home, options.output,
  },
}

-- What the workers have that was not shown yet, by time. A worker that is being replaced has
-- nothing to say for a moment.
local function ask(o, query, after)
  local all, left_out, heard, failure = {}, 0, false, nil
  for index in pairs(after) do
    local request = { cmd = "plugin.logs", worker = index, after = after[index] or nil }
    for key, value in pairs(query) do request[key] = value end
    local r, err = home.ask(o.home, request, ASK_S)
    if r then
      heard = true
      after[index] = { life = r.life, seq = r.seq }
      left_out = left_out + r.left_out
      for i, line in ipairs(r.lines) do all[#all + 1] = { line = line, index = index, i = i } end
    elseif err.code == "not_running" then
      return nil, err
    else
      failure = err
    end
  end
  if not heard then return nil, failure end
  table.sort(all, function(a, b)
    if a.line.time ~= b.line.time then return a.line.time < b.line.time end
    if a.index ~= b.index then return a.index < b.index end
    return a.i < b.i
  end)
  local first = math.max(1, #all - query.limit + 1)
  local lines = {}
  for i = first, #all do lines[#lines + 1] = all[i].line end
  return { lines = lines, left_out = left_out + first - 1 }
end

local function show(o, found, out)
  for _, line in ipairs(found.lines) do
    if o.output == "json" then
      io.stdout:write(json.encode(line, { sorted = true }), "\n")
    else
      out:write(line)
    end
  end
  io.stdout:flush()
end

local function note(text) io.stderr:write("parley: ", text, "\n") end

local function follow(o, query, after, out)
  query.since_ms, query.limit = nil, LINES_MAX
  while true do
    task.sleep(FOLLOW_S)
    local found, err = ask(o, query, after)
    if found then
      if found.left_out > 0 then note(found.left_out .. " lines came too fast to be shown") end
      show(o, found, out)
    elseif err.code == "not_running" then
      return exit.failed { code = err.code, message = "the host has ended" }
    end
  end
end

function M.run(o)
  local status, err = home.ask(o.home, { cmd = "status" }, ASK_S)
  if not status then return exit.failed(err) end
  local query = {
    plugin = o[1], level = o.level, dialog = o.dialog, since_ms = o.since, limit = o.lines,
  }
  local after = {}
  for _, w in ipairs(status.workers) do after[w.index] = false end
  local found
  found, err = ask(o, query, after)
  if not found then
    local code = exit.failed(err)
    return err.code == "plugin_not_found" and exit.NO or code
  end
  local out = log_lines.new()
  show(o, found, out)
  if o.follow then return follow(o, query, after, out) end
  if #found.lines == 0 and o.output ~= "json" then note "nothing was logged" end
  if found.left_out > 0 and o.output ~= "json" then
    note(("%d earlier lines are left out: --lines, --since"):format(found.left_out))
  end
  return exit.DONE
end

return M
