-- parley status: what the running host says about itself.

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Shows workers, plugins, and the generations that still have turns to finish. Exits with 1 when a
worker is not ready.]],
  options = { options.home, options.output },
}

local function duration(seconds)
  if seconds < 120 then return ("%d s"):format(seconds) end
  if seconds < 7200 then return ("%d min"):format(seconds / 60) end
  if seconds < 172800 then return ("%d h"):format(seconds / 3600) end
  return ("%d days"):format(seconds / 86400)
end

local function megabytes(bytes) return ("%.1f MB"):format(bytes / 1048576) end

local function print_generation(out, g)
  out(("  generation %d since %s: %s, %d turns\n"):format(g.number, g.since,
    g.current and "serves" or "finishes its turns", g.turns))
  for _, p in ipairs(g.own_plugins or {}) do
    out(("    has %s %s, bundle %s\n"):format(p.name, p.version, p.hash))
  end
  for _, h in ipairs(g.held_by or {}) do
    out(("    held by dialog %s for %s, in %s\n"):format(h.dialog_id, duration(h.seconds),
      h.plugin or "no plugin"))
  end
end

-- The confined processes, when there are any, and what is wrong with isolation.
local function print_isolation(out, s)
  for _, p in ipairs(s.plugins) do
    if p.process then
      out(("  process %d: %s, %s of %s\n"):format(p.process.pid, p.name,
        megabytes(p.process.memory_bytes), megabytes(p.process.limit_bytes)))
    end
  end
  local i = s.isolation
  if i.spares > 0 then out(("  spare processes: %d\n"):format(i.spares)) end
  if i.problem then out(("  plugins cannot be isolated: %s\n"):format(i.problem)) end
  if i.landlock == false then
    out("  this kernel has no Landlock: system calls alone keep isolated plugins from files\n")
  end
end

local function print_worker(out, w)
  out(("worker %d: %s, pid %s, %s, %s, %d restarts\n"):format(w.index, w.state, w.pid or "-",
    w.uptime_s and duration(w.uptime_s) or "-", w.rss_bytes and megabytes(w.rss_bytes) or "-",
    w.restarts))
  local s = w.status
  if type(s) ~= "table" then return end
  out(("  %d requests running, %d messages waiting, %d rules\n"):format(s.requests, s.turns_waiting,
    s.rules))
  if s.certificate and not s.certificate.subject then
    out(("  no certificate: %s\n"):format(s.certificate.problem))
  elseif s.certificate then
    out(("  certificate of %s: %d days left\n"):format(s.certificate.subject, s.certificate.days))
    if s.certificate.problem then
      out(("  the next one cannot be used: %s\n"):format(s.certificate.problem))
    end
  end
  if s.behind then out(("  is to serve something else, but: %s\n"):format(s.behind)) end
  for _, g in ipairs(s.generations) do
    print_generation(out, g)
  end
  print_isolation(out, s)
end

-- What is to be said of a plugin beside its state.
local function note(p)
  if not p.canary then
    return p.reason or (p.pinned and "stays, whatever its folder says") or nil
  end
  return ("%s has %g %% of the dialogs%s"):format(p.canary.version, p.canary.share_percent,
    p.reason and "; " .. p.reason or "")
end

local function print_plugins(plugins)
  local rows = {}
  for i, p in ipairs(plugins) do
    rows[i] = {
      p.name, p.version, p.transport, p.ring or "-", p.state, p.hash, note(p),
    }
  end
  output.table({ "PLUGIN", "VERSION", "TRANSPORT", "RING", "STATE", "BUNDLE" }, rows)
end

local function print_all(r)
  local function out(text) io.stdout:write(text) end
  out(("parley %s: %s, pid %d, %s, home %s\n"):format(r.version, r.state, r.pid,
    duration(r.uptime_s), r.home))
  for _, name in ipairs { "public", "secure", "ops" } do
    if r.listen[name] then out(("%s on %s\n"):format(name, r.listen[name])) end
  end
  local plugins
  for _, w in ipairs(r.workers) do
    print_worker(out, w)
    plugins = plugins or (type(w.status) == "table" and w.status.plugins)
  end
  if plugins then print_plugins(plugins) end
end

function M.run(o)
  local r, err = home.ask(o.home, { cmd = "status" }, 10)
  if not r then return exit.failed(err) end
  if o.output == "json" then output.json(r) else print_all(r) end
  for _, w in ipairs(r.workers) do
    if w.state ~= "ready" then return exit.NO end
  end
  return exit.DONE
end

return M
