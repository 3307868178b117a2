-- A worker: one core behind the sockets that it has from the supervisor, and what the supervisor
-- asks it. host/main.c runs this file for `parley --worker`.

local blame = require "parley.plugins.blame"
local config = require "parley.config"
local core = require "parley.core"
local deployments = require "parley.deployments"
local everywhere = require "parley.cluster.everywhere"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local home = require "parley.cli.home"
local last = require "parley.plugins.last"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local operate = require "parley.plugins.operate"
local options = require "parley.cli.options"
local precompile = require "parley.plugins.precompile"
local profile = require "parley.plugins.profile"
local reload = require "parley.ops.reload"
local saved = require "parley.ops.saved"
local switch = require "parley.plugins.switch"
local task = require "host.task"
local worker = require "host.worker"

local function refuse(err)
  return worker.exit(exit.failed(err))
end

-- What is saved is taken up by all workers; an error is in the log, and what served goes on.
local function watch(c)
  local dir = c.config.home
  saved.run({
    folders = { dir .. "/conf" }, parents = { fs.data_dir() .. "/plugins", dir .. "/plugins" },
  }, function()
    local ok, err = c.reload_everywhere()
    if not ok and err.code == "not_running" then
      log.write("error", "what was saved could not be taken up", { error = err.message })
    end
  end, log.write)
end

local function listen(c)
  local sockets = worker.listeners()
  local server, err = c:listen { fd = sockets.public }
  if not server then return nil, err end
  if sockets.secure then
    local where = { fd = sockets.secure }
    server, err = c:listen_tls(where)
    -- The first start has found the files good: they are being replaced, or that has gone wrong.
    if not server and err.op == "tls" then
      c:await_tls(where, err)
    elseif not server then
      return nil, err
    end
  end
  return c:listen_ops { fd = sockets.ops }
end

-- What has been logged of late about one plugin, or about all.
local function logs(c, kept, request)
  local found = kept:read(request)
  if request.plugin and found.seen == 0 then
    local known, err = switch.find(c.manager.current, request.plugin)
    if not known then return nil, err end
  end
  return found
end

-- A core with its first generation: of what the folders say, or of what has served last.
local function build(o, suspect, serving)
  local cfg, err = config.load(o.home, {
    file = o.config, texts = serving and serving.texts, try = precompile.survives,
  })
  if not cfg then return nil, err end
  log.setup {
    level = cfg.log_level, form = cfg.log_format,
    process = worker.count > 1 and "worker " .. worker.index or nil,
  }
  local c, ok
  -- `serve` has brought the schema up to date. A worker that comes back while PostgreSQL is away
  -- waits for it.
  c, err = core.open(cfg, { index = worker.index, migrate = false, patience = math.huge })
  if not c then return nil, err end
  blame.spare(c, suspect)
  ok, err = c:load(serving)
  if not ok then return nil, err end
  return c
end

-- Where the folders hold what cannot serve, the worker that takes another one's place takes what
-- has: a reload would have been refused as well.
local function rebuild(o, suspect, err)
  local serving = worker.replaces and last.read(o.home)
  if not serving then return nil, err end
  local c, problem = build(o, suspect, serving)
  if not c then
    log.write("error", "what has served last cannot serve", { error = problem.message })
    return nil, err
  end
  log.write("error", "settings, rules or plugins are wrong: what has served last goes on", {
    code = err.code, error = err.message,
  })
  reload.note(c, "error", { code = err.code, message = err.message })
  return c
end

return function(_, ...)
  local o = assert(options.parse({ options = { options.home, options.config } }, { ... }))
  local kept, suspect = log.keep(), worker.suspect()
  if not worker.replaces then last.forget(o.home) end
  local c, err = build(o, suspect)
  if not c then c, err = rebuild(o, suspect, err) end
  if not c then return refuse(err) end
  local cfg = c.config
  blame.tell(c, suspect)
  local ok
  ok, err = c:begin()
  if not ok then return refuse(err) end
  ok, err = listen(c)
  if not ok then return refuse(err) end

  worker.on("look", function() c.cluster:hurry() end)
  worker.on("status", function() return c:status() end)
  function c.reload_here()
    local result, problem = c:reload()
    log.level(c.config.log_level)
    return result, problem
  end
  worker.on("reload", c.reload_here)
  worker.on("plugin.logs", function(request) return logs(c, kept, request) end)
  worker.on("plugin.profile", function(request) return profile.run(c, request) end)
  worker.on("reload.all", function() return everywhere.run(c) end)
  -- What the command line orders: whoever may use the control socket is an operator.
  for name, fn in pairs {
    disable = operate.disable, enable = operate.enable, rollback = operate.rollback,
    follow = operate.follow, bundles = operate.bundles,
  } do
    worker.on("plugin." .. name, function(request)
      return fn(c, request.plugin, { by = "cli", reason = request.reason, to = request.to })
    end)
  end
  for name, fn in pairs(deployments.orders) do
    worker.on("plugin." .. name, function(request) return fn(c, request) end)
  end
  -- Through the supervisor, which asks every worker, this one too.
  function c.reload_everywhere()
    return home.reload(o.home)
  end
  worker.on("drain", function()
    c:drain(c.config.drain_seconds)
    c.scrape:publish()
  end)
  if cfg.watch and worker.index == 0 then task.spawn(watch, c) end
  if c.scrape:begin() then meters.worker_restarts:inc() end
  worker.ready()
end
