-- parley migrate up|down|status [--to N]

local cli = require "parley.cli.main"
local config = require "parley.config"
local json = require "host.json"
local migrate = require "parley.store.migrate"
local store = require "parley.store"
local suggest = require "parley.util.suggest"
local time = require "host.time"

local HELP = [[
usage: parley migrate up|down|status [--to N] [--home DIR] [--config FILE] [-o json|table]

up goes to the newest version, down goes back one; --to names another one.
]]

local OPTIONS = {
  home = "value", config = "value", o = "value", to = "value", help = "flag",
}

local function status(db, list, o)
  local s, err = migrate.status(db, list)
  if not s then return cli.failed(err) end
  if o.o == "json" then
    io.stdout:write(json.encode(s, { sorted = true }), "\n")
    return 0
  end
  for _, m in ipairs(s.list) do
    io.stdout:write(("%04d  %-20s %s\n"):format(m.version, m.name,
      m.applied_at and time.rfc3339(m.applied_at) or "not applied"))
  end
  return 0
end

local function move(db, list, target)
  local version, err = migrate.to(db, list, target)
  if not version then return cli.failed(err) end
  io.stderr:write(("the schema is at version %d of %d\n"):format(version, #list))
  return 0
end

local function run(db, list, o)
  local to = o.to and tonumber(o.to)
  if o.to and not to then return cli.usage "--to: a number expected" end
  if o[1] == "status" then return status(db, list, o) end
  if o[1] == "up" then return move(db, list, to or #list) end
  local s, err = migrate.status(db, list)
  if not s then return cli.failed(err) end
  return move(db, list, to or math.max(s.current - 1, 0))
end

return function(...)
  local o, problem = cli.options({ ... }, OPTIONS)
  if not o then return cli.usage(problem) end
  local known = { up = true, down = true, status = true }
  if o.help or not o[1] then
    io.stdout:write(HELP)
    return o.help and 0 or 64
  end
  if not known[o[1]] then
    return cli.usage("migrate: there is no '" .. o[1] .. "'." .. suggest.hint(o[1], known))
  end
  local cfg, err = config.load(o.home or ".parley", { file = o.config })
  if not cfg then return cli.failed(err) end
  local db, list
  db, err = store.open(cfg, { migrate = false })
  if not db then return cli.failed(err) end
  list, err = migrate.load(store.migrations_dir())
  if not list then return cli.failed(err) end
  local code = run(db, list, o)
  db:close()
  return code
end
