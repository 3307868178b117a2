-- parley reload: the running host takes up settings, rules, triggers and plugins.

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local SECONDS = 40 -- the host gives up after 30

local M = {
  about = [[
Builds the next generation of settings, rules, triggers and plugins beside the one that serves and
puts it in its place. When something is wrong with it, says where, changes nothing, and exits with
78. With --all each instance reads its own folders, and one that refuses keeps what it has.]],
  options = {
    { name = "all", help = "in the workers of all instances that share the database" },
    options.home, options.output,
  },
}

-- What became of it in each worker of all instances.
local function run_all(o)
  local workers, err = home.ask(o.home, { cmd = "reload.all" }, SECONDS)
  if not workers then return exit.failed(err) end
  local code = exit.DONE
  for _, w in ipairs(workers) do
    if not w.ok then code = exit.CONFIG end
  end
  if o.output == "json" then
    output.json(json.array(workers))
    return code
  end
  for _, w in ipairs(workers) do
    if w.ok then
      io.stdout:write(("%s: generation %d serves, built in %g ms\n"):format(w.id, w.generation,
        w.took_ms))
    else
      io.stderr:write(("%s: refused: %s\n"):format(w.id, w.message))
    end
  end
  return code
end

function M.run(o)
  if o.all then return run_all(o) end
  local r, err = home.reload(o.home)
  if not r then return exit.failed(err) end
  for _, key in ipairs(r.needs_restart) do
    io.stderr:write(("parley: '%s' has changed: it takes effect at the next start\n"):format(key))
  end
  if o.output == "json" then return output.json(r) end
  io.stdout:write(("generation %d serves: %d plugins, %d rules, built in %g ms\n"):format(
    r.generation, r.plugins, r.rules, r.took_ms))
  return exit.DONE
end

return M
