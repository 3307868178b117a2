-- parley status: what the running host says about itself.

local cli = require "parley.cli.main"
local home = require "parley.cli.home"
local json = require "host.json"

local HELP = [[
usage: parley status [--home DIR] [-o json|table]

Workers, plugins and the generations that still have turns to finish. Exits with 1 when a worker is
not ready.
]]

local function duration(seconds)
  if seconds < 120 then return ("%d s"):format(seconds) end
  if seconds < 7200 then return ("%d min"):format(seconds / 60) end
  if seconds < 172800 then return ("%d h"):format(seconds / 3600) end
  return ("%d days"):format(seconds / 86400)
end

local function megabytes(bytes) return ("%.1f MB"):format(bytes / 1048576) end

local function print_worker(out, w)
  out(("worker %d: %s, pid %s, %s, %s, %d restarts\n"):format(w.index, w.state, w.pid or "-",
    w.uptime_s and duration(w.uptime_s) or "-", w.rss_bytes and megabytes(w.rss_bytes) or "-",
    w.restarts))
  local s = w.status
  if type(s) ~= "table" then return end
  out(("  %d requests running, %d messages waiting, %d rules\n"):format(s.requests, s.turns_waiting,
    s.rules))
  for _, g in ipairs(s.generations) do
    out(("  generation %d since %s: %s, %d turns\n"):format(g.number, g.since,
      g.current and "serves" or "finishes its turns", g.turns))
  end
end

local function print_plugins(out, plugins)
  local width = 6
  for _, p in ipairs(plugins) do width = math.max(width, #p.name) end
  local form = "%-" .. width .. "s  %-9s  %-9s  %-9s  %s\n"
  out(form:format("PLUGIN", "VERSION", "TRANSPORT", "STATE", "BUNDLE"))
  for _, p in ipairs(plugins) do
    out(form:format(p.name, p.version, p.transport, p.state,
      p.hash .. (p.reason and "  " .. p.reason or "")))
  end
end

local function print_all(r)
  local function out(text) io.stdout:write(text) end
  out(("parley %s: %s, pid %d, %s, home %s\n"):format(r.version, r.state, r.pid,
    duration(r.uptime_s), r.home))
  for _, name in ipairs { "public", "ops" } do
    out(("%s on %s\n"):format(name, r.listen[name]))
  end
  local plugins
  for _, w in ipairs(r.workers) do
    print_worker(out, w)
    plugins = plugins or (type(w.status) == "table" and w.status.plugins)
  end
  if plugins then print_plugins(out, plugins) end
end

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", o = "value", help = "flag" })
  if not o then return cli.usage(problem) end
  if o.help then
    io.stdout:write(HELP)
    return 0
  end
  local r, err = home.ask(o.home or home.DEFAULT, { cmd = "status" }, 10)
  if not r then return cli.failed(err) end
  if o.o == "json" then
    io.stdout:write(json.encode(r, { sorted = true }), "\n")
  else
    print_all(r)
  end
  for _, w in ipairs(r.workers) do
    if w.state ~= "ready" then return 1 end
  end
  return 0
end
