-- A worker: one core behind the sockets that it has from the supervisor, and what the supervisor
-- asks it. host/main.c runs this file for `parley --worker`.

local config = require "parley.config"
local core = require "parley.core"
local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local operate = require "parley.plugins.operate"
local options = require "parley.cli.options"
local worker = require "host.worker"

local RELOAD_S = 90 -- the host itself gives up after 60

local function refuse(err)
  return worker.exit(exit.failed(err))
end

-- A plugin that has hung the worker before this one is not asked again until an operator reloads.
-- The triggers hear of it (TR-008): it is disabled in every worker, also after a restart.
local function tell_of(c, name)
  log.write("error", "a plugin has hung the host and is disabled; parley reload enables it", {
    plugin = name, severity = "critical",
  })
  local ok, err = c.db:commit {
    c.shared:fact {
      source = name, action = "plugin_failed", severity = "critical",
      details = { code = "hang", message = "it has hung the host and is disabled" },
    },
  }
  if not ok then log.write("error", "the event could not be stored", { error = err.message }) end
end

local function listen(c)
  local sockets = worker.listeners()
  local server, err = c:listen { fd = sockets.public }
  if not server then return nil, err end
  return c:listen_ops { fd = sockets.ops }
end

return function(_, ...)
  local o = assert(options.parse({ options = { options.home, options.config } }, { ... }))
  local cfg, err = config.load(o.home, { file = o.config })
  if not cfg then return refuse(err) end
  log.setup {
    level = cfg.log_level, form = cfg.log_format,
    process = worker.count > 1 and "worker " .. worker.index or nil,
  }
  local c
  -- `serve` has brought the schema up to date. A worker that comes back while PostgreSQL is away
  -- waits for it.
  c, err = core.open(cfg, { index = worker.index, migrate = false, patience = math.huge })
  if not c then return refuse(err) end
  local hung = worker.hung_plugin()
  if hung then c.manager:disable(hung, "it has hung the host") end
  local ok
  ok, err = c:load()
  if not ok then return refuse(err) end
  if hung then tell_of(c, hung) end
  ok, err = c:begin()
  if not ok then return refuse(err) end
  ok, err = listen(c)
  if not ok then return refuse(err) end

  worker.on("status", function() return c:status() end)
  worker.on("reload", function()
    local result, problem = c:reload()
    log.level(c.config.log_level)
    return result, problem
  end)
  -- What the command line orders: whoever may use the control socket is an operator.
  for name, fn in pairs {
    disable = operate.disable, enable = operate.enable, rollback = operate.rollback,
    follow = operate.follow, bundles = operate.bundles,
  } do
    worker.on("plugin." .. name, function(request)
      return fn(c, request.plugin, { by = "cli", reason = request.reason, to = request.to })
    end)
  end
  -- Through the supervisor, which asks every worker, this one too.
  function c.reload_everywhere()
    return home.ask(o.home, { cmd = "reload" }, RELOAD_S)
  end
  worker.on("drain", function()
    c:drain(c.config.drain_seconds)
    c.scrape:publish()
  end)
  if c.scrape:begin() then meters.worker_restarts:inc() end
  worker.ready()
end
