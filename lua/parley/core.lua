-- The parts of one worker, put together: database, plugins, turns, HTTP.

local app = require "parley.http.app"
local blobs = require "parley.blobs"
local blobs_shared = require "parley.blobs.shared"
local blobs_sweep = require "parley.blobs.sweep"
local broadcasts = require "parley.broadcasts.watch"
local catalogue = require "parley.plugins.catalogue"
local certificate = require "parley.ops.certificate"
local cluster = require "parley.cluster"
local config = require "parley.config"
local copies = require "parley.deployments.copies"
local counts = require "parley.deployments.counts"
local decide = require "parley.deployments.decide"
local deployments = require "parley.deployments.watch"
local everywhere = require "parley.cluster.everywhere"
local endpoints = require "parley.ops.endpoints"
local heartbeats = require "parley.plugins.heartbeats"
local http_server = require "host.http_server"
local jobs = require "parley.turn.jobs"
local fs = require "host.fs"
local json = require "host.json"
local lanes = require "parley.turn.lanes"
local limits = require "parley.limits"
local links = require "parley.blobs.links"
local limits_store = require "parley.limits.either"
local listeners = require "parley.http.listeners"
local log = require "parley.ops.log"
local manager = require "parley.plugins.manager"
local meters = require "parley.ops.meters"
local mode = require "parley.triggers.mode"
local overdue = require "parley.turn.overdue"
local pinned = require "parley.plugins.pinned"
local poll = require "parley.plugins.poll"
local pool = require "parley.plugins.pool"
local recover = require "parley.turn.recover"
local recall = require "parley.turn.recall"
local registry = require "parley.plugins.registry"
local reload = require "parley.ops.reload"
local router = require "parley.http.router"
local scrape = require "parley.ops.scrape"
local secrets = require "parley.plugins.secrets"
local seen = require "parley.auth.seen"
local served = require "parley.plugins.served"
local shared = require "parley.shared"
local shelf = require "host.shelf"
local signals = require "parley.triggers.signals"
local status = require "parley.ops.status"
local store = require "parley.store"
local sweep = require "parley.store.sweep"
local task = require "host.task"
local telegram = require "parley.channels.telegram"
local time = require "host.time"
local tokens = require "parley.store.tokens"
local triggers = require "parley.triggers.watch"
local turn = require "parley.turn"
local verify = require "parley.auth.verify"
local worker = require "host.worker"

require "parley.plugins.services"

local M = {}
M.__index = M

local ACCEPTED = 4000 -- messages that were acknowledged and are not answered, each of a few KB
local OPS_CONNECTIONS = 32 -- a few probes and scrapers: they must not use up descriptors

-- What this worker keeps a copy of is told to it from here on, before anything is read.
local function join(self, index)
  local id, err = cluster.identity(self.config.home, index)
  if not id then return nil, err end
  local files
  if self.db:dialect() ~= "sqlite" then
    files, err = blobs_shared.identity(self.config.home)
    if err then return nil, err end
  end
  self.cluster = cluster.new {
    db = self.db, id = id, log = log.write, nudge = worker.nudge,
    info = {
      version = fs.version(), host = fs.hostname(), listens = self.config.http_listen,
      files = files,
    },
  }
  self.cluster:on("tokens", function() self.verify:forget() end)
  return self.cluster:begin()
end

---Opens the database and puts the parts together; nothing is served yet.
---@param cfg table from parley.config
---@param opts {index: integer?, migrate: boolean?, patience: number?}|nil index of the worker; the
---   rest is for parley.store
---@return table|nil core
---@return table|nil err
function M.open(cfg, opts)
  opts = opts or {}
  local self = setmetatable({ config = cfg }, M)
  local ok, err
  self.master, err = secrets.master(cfg)
  if not self.master then return nil, err end
  self.db, err = store.open(cfg, {
    migrate = opts.migrate, patience = opts.patience,
    waiting = function(problem)
      log.write("error", "waiting for the database", { error = problem.message })
    end,
  })
  if not self.db then return nil, err end
  ok, err = join(self, opts.index)
  if ok then
    self.shared, err = shared.open {
      db = self.db, url = cfg.redis_url, log = log.write, id = self.cluster.id,
    }
  end
  local last
  if self.shared then last, err = shelf.open(cfg.database_url) end
  if not last then
    if self.shared then self.shared:close() end
    if ok then self.cluster:close() end
    self.db:close()
    return nil, err
  end
  self.recall = recall.new(last)
  self.manager = manager.new(function()
    local given, problem = registry.given(self.db)
    if given then copies.bring(self, given) end
    return given, problem
  end, self.master)
  self.served = served.new(self, log.write)
  self.manager.on_swap = function(generation)
    self.behind = nil
    self.served:add(generation)
    self.telegram:plugins_changed()
    if #generation.misfits > 0 then task.spawn(decide.misfits, self, generation.misfits) end
  end
  self.cluster:on("plugins", function()
    registry.sync(self)
    self.telegram:plugins_changed()
    self.shared:refresh()
  end)
  self.cluster:on("mode", function() mode.sync(self) end)
  self.cluster:on("reload", function() everywhere.follow(self) end)
  self.shared:keep("plugin:catalog", function()
    local list, problem = catalogue.list(self)
    return list and json.encode { plugins = list }, problem
  end)
  self.lanes = lanes.new(cfg.lane_queue)
  self.verify = verify.new {
    get = function(id) return tokens.get(self.db, id) end, used = seen.new(self.db),
  }
  self.limits = limits.new {
    driver = limits_store.new(self.db, self.shared, time.now_ms), clock = time.mono,
    log = log.write,
  }
  self.limits:configure(cfg.rate_limits)
  pool.configure(cfg.plugins_memory_mb * 1024 * 1024)
  self.counts = counts.new(self)
  self.pinned = pinned.new(self)
  self.turn = turn.new {
    db = self.db, owner = self.cluster.id, lanes = self.lanes, manager = self.manager,
    limits = self.limits, counts = self.counts, recall = self.recall, shared = self.shared,
    log = log.write, accepted = ACCEPTED, accepted_of_one = cfg.accepted_queue,
    pinned = self.pinned,
    on_jobs = function() self.jobs:wake() end,
  }
  self.blobs = blobs.new { db = self.db, home = cfg.home, config = cfg.files }
  self.links = links.new(self.master)
  self.turn.blobs, self.turn.links = self.blobs, self.links
  self.sweeps_files = (opts.index or 0) == 0 -- the folder is that of all workers
  self.telegram = telegram.new {
    blobs = self.blobs,
    db = self.db, cluster = self.cluster, turn = self.turn, log = log.write, master = self.master,
    config = cfg.telegram, spool = store.beside(cfg, "intake"), waiting = cfg.accepted_queue,
    per_address = cfg.http_connections_per_address,
  }
  self.listeners = listeners.new(self.telegram.inlet)
  self.turn.channels = { telegram = self.telegram }
  self.turn.terms = function(dialog_id) return self.telegram:terms(dialog_id) end
  self.broadcasts = broadcasts.new {
    db = self.db, telegram = self.telegram, cluster = self.cluster, log = log.write,
  }
  self.jobs = jobs.new {
    db = self.db, turn = self.turn, manager = self.manager, log = log.write,
  }
  self.scrape = scrape.new(meters.registry)
  meters.watch("db", self.db)
  meters.watch("lanes", self.lanes)
  meters.watch("limits", self.limits)
  meters.watch("manager", self.manager)
  meters.watch("shared", self.shared)
  meters.watch("telegram", self.telegram.outlet)
  meters.watch("bots", self.telegram.shards)
  meters.watch("inlet", self.telegram.inlet)
  self.router = router.new()
  for _, name in ipairs {
    "dialogs", "turns", "users", "plugins", "plugin_events", "tokens", "audit", "operate",
    "deployments", "bots", "broadcasts", "dead_letters", "files",
  } do
    require("parley.http.resources." .. name).register(self.router, self)
  end
  require("parley.http.resources.pages").register(self.router)
  require("parley.channels.telegram.webhook").register(self.router, self)
  return self
end

---Builds the first generation. On failure the core is closed.
---@param last parley.Last|nil what has served, instead of what the folders say
---@return boolean|nil ok
---@return table|nil err
function M:load(last)
  local generation, err = self.manager:reload(self.config, {
    edit = function(given) given.last = last end,
  })
  if generation then return true end
  self:close()
  return nil, err
end

---open and load in one.
---@param cfg table from parley.config
---@return table|nil core
---@return table|nil err
function M.new(cfg)
  local self, err = M.open(cfg)
  if not self then return nil, err end
  local ok
  ok, err = self:load()
  if not ok then return nil, err end
  return self
end

-- What one worker of all does: fire jobs, sweep, act on events, look after plugins and after
-- workers that are gone.
local function lead(self)
  for name, part in pairs {
    triggers = triggers, manifests = poll, heartbeats = heartbeats, overdue = overdue,
    deployments = deployments,
  } do
    self.cluster:lead(name, function(lease) part.run(self, lease) end)
  end
  self.cluster:lead("jobs", function(lease) self.jobs:run(lease) end)
  self.cluster:on("jobs", function() self.jobs:wake() end) -- a dead letter was replayed
  self.cluster:lead("broadcasts", function(lease) self.broadcasts:run(lease) end)
  self.cluster:lead("sweep", function(lease) sweep.run(self.db, log.write, lease) end)
  self.cluster:on_dead(function(id, lease)
    local turns = recover.run_for(self.recovery, id, lease)
    if turns > 0 then
      log.write("warn", "turns of a worker that is gone go on", { turns = turns, worker = id })
    end
  end, function() return recover.owners(self.db) end)
end

-- A file that another instance has kept could not be sent or read here.
local function look_at_files(self)
  local machines = blobs_shared.apart(self.db)
  if not machines or #machines == 0 then return end
  log.write("error", "instances keep the files of plugins in folders of their own: "
    .. blobs_shared.ADVICE, { machines = table.concat(machines, ", ") })
end

---Takes up what a crash has cut off, then starts the work that no request asks for.
---@return integer|nil resumed turns
---@return table|nil err
function M:begin()
  self.recovery = {
    db = self.db, turn = self.turn, lanes = self.lanes, owner = self.cluster.id, log = log.write,
  }
  local resumed, err = recover.run(self.recovery)
  if not resumed then return nil, err end
  if #resumed > 0 then log.write("warn", "turns were cut off and go on", { turns = #resumed }) end
  local ok
  ok, err = mode.sync(self)
  if not ok then return nil, err end
  lead(self)
  self.limiter = task.spawn(self.limits.run, self.limits)
  self.leftover = task.spawn(recover.watch, self.recovery)
  self.counter = task.spawn(self.counts.run, self.counts)
  self.keeper = task.spawn(self.served.run, self.served)
  if self.sweeps_files then
    self.file_sweeper = task.spawn(blobs_sweep.run, self.blobs, log.write)
  end
  self.shared:begin(self.cluster)
  self.telegram:begin()
  if self.db:dialect() ~= "sqlite" then self.file_looker = task.spawn(look_at_files, self) end
  return #resumed
end

---Reads configuration, rules and plugins again (parley.ops.reload).
---@return table|nil result
---@return table|nil err the generation before goes on serving
function M:reload() return reload.run(self) end

---Reloads this worker, when somebody has asked all workers of all instances. A worker of a
---supervisor does it as for itself.
---@return table|nil result as reload()
---@return table|nil err
function M:reload_here() return self:reload() end

---Reloads every worker of the host. A worker of a supervisor asks it (parley.worker).
---@return table|nil result as reload()
---@return table|nil err
function M:reload_everywhere() return self:reload() end

---What `parley status` shows of a worker.
---@return table
function M:status() return status.of(self) end

local function listen(self, where, address)
  if not where.fd and not where.port then where.host, where.port = config.split_address(address) end
  where.connections = self.config.http_connections
  where.per_address = self.config.http_connections_per_address
  self.app = self.app or app.new {
    router = self.router, verify = self.verify, limits = self.limits, db = self.db,
    log = log.write, level = log.level,
  }
  local server, err = http_server.listen(where, self.app)
  if not server then return nil, err end
  self.listeners:add(server)
  meters.watch("server", self.listeners)
  return server
end

---Listens for the public API.
---@param where {fd: integer}|{host: string, port: integer}|nil default: the configured address
---@return table|nil server
---@return table|nil err
function M:listen(where)
  local err
  self.server, err = listen(self, where or {}, self.config.http_listen)
  return self.server, err
end

---Listens for the public API over TLS.
---@param where {fd: integer}|{host: string, port: integer}|nil default: the configured address
---@return table|nil server
---@return table|nil err
function M:listen_tls(where)
  local err
  self.certificate, err = certificate.open(self.config)
  if not self.certificate then return nil, err end
  where = where or {}
  where.tls = self.certificate.context
  self.tls_server, err = listen(self, where, self.config.https_listen)
  if self.tls_server then self.certificate:watch(self.tls_server) end
  return self.tls_server, err
end

---Listens for the public API over TLS as soon as there is a certificate.
---@param where {fd: integer}
---@param problem table why there is none
function M:await_tls(where, problem)
  self.certificate = certificate.await(self.config, problem, function(context)
    where.tls = context
    local err
    self.tls_server, err = listen(self, where, self.config.https_listen)
    if err then log.write("error", "nobody listens over TLS", { error = err.message }) end
    return self.tls_server
  end)
end

---Listens for metrics and probes.
---@param where {fd: integer}|{host: string, port: integer}|nil default: the configured address
---@return table|nil server
---@return table|nil err
function M:listen_ops(where)
  if not where then
    local host, port = config.split_address(self.config.ops_listen)
    where = { host = host, port = port }
  end
  where.connections = OPS_CONNECTIONS
  local err
  self.ops_server, err = http_server.listen(where, endpoints.new(self))
  return self.ops_server, err
end

---Lets running turns finish, then closes. The probes say so before anything else happens.
---@param seconds number
function M:drain(seconds)
  self.draining = true
  self.jobs:stop()
  self.telegram:stop()
  self.listeners:drain()
  local deadline = time.mono() + seconds
  while self.listeners:stats().busy > 0 or self.telegram.inlet:waiting() > 0 or self.lanes:busy()
    or self.turn.queue:size() > 0 do
    if time.mono() >= deadline then break end
    task.sleep(0.02)
  end
  self.limits:configure {}
  self.counts:flush()
  self:close()
end

function M:close()
  self.jobs:stop()
  self.turn.queue:close()
  self.telegram:close()
  if self.limiter then self.limiter:cancel() end
  if self.leftover then self.leftover:cancel() end
  if self.counter then self.counter:cancel() end
  if self.keeper then self.keeper:cancel() end
  if self.file_sweeper then self.file_sweeper:cancel() end
  if self.file_looker then self.file_looker:cancel() end
  for _, kind in ipairs {
    "server", "db", "lanes", "limits", "manager", "shared", "telegram", "bots", "inlet",
  } do
    meters.watch(kind, nil)
  end
  signals.follow(self.manager, nil)
  self.listeners:close()
  if self.certificate then self.certificate:close() end
  if self.ops_server then self.ops_server:close() end
  self.pinned:close()
  self.recall:close()
  self.cluster:close() -- the work that only one worker does ends before what it works with
  self.shared:close()
  self.db:close()
end

return M
