-- The parts of one worker, put together: database, plugins, turns, HTTP.

local app = require "parley.http.app"
local config = require "parley.config"
local endpoints = require "parley.ops.endpoints"
local http_server = require "host.http_server"
local jobs = require "parley.turn.jobs"
local lanes = require "parley.turn.lanes"
local log = require "parley.ops.log"
local manager = require "parley.plugins.manager"
local meters = require "parley.ops.meters"
local recover = require "parley.turn.recover"
local router = require "parley.http.router"
local store = require "parley.store"
local task = require "host.task"
local tokens = require "parley.store.tokens"
local turn = require "parley.turn"
local verify = require "parley.auth.verify"

local M = {}
M.__index = M

---Everything but the listening socket: what the specs and the command line use as well.
---@param cfg table from parley.config
---@return table|nil core
---@return table|nil err
function M.new(cfg)
  local self = setmetatable({ config = cfg }, M)
  local err
  self.db, err = store.open(cfg)
  if not self.db then return nil, err end
  self.manager = manager.new(cfg)
  local generation
  generation, err = self.manager:reload()
  if not generation then
    self.db:close()
    return nil, err
  end
  self.lanes = lanes.new(cfg.lane_queue)
  self.verify = verify.new { get = function(id) return tokens.get(self.db, id) end }
  self.turn = turn.new {
    db = self.db, lanes = self.lanes, manager = self.manager, config = cfg, log = log.write,
    on_jobs = function() self.jobs:wake() end,
  }
  self.jobs = jobs.new { db = self.db, turn = self.turn, log = log.write }
  meters.watch("db", self.db)
  meters.watch("lanes", self.lanes)
  meters.watch("manager", self.manager)
  self.router = router.new()
  require("parley.http.resources.dialogs").register(self.router, self)
  require("parley.http.resources.users").register(self.router, self)
  return self
end

---Takes up what a crash has cut off, then starts the work that no request asks for.
---@return integer|nil resumed turns
---@return table|nil err
function M:begin()
  local resumed, err = recover.run { db = self.db, turn = self.turn, log = log.write }
  if not resumed then return nil, err end
  self.scheduler = task.spawn(self.jobs.run, self.jobs)
  return resumed
end

---Listens for the public API.
---@param where {fd: integer}|{host: string, port: integer}|nil default: the configured address
---@return table|nil server
---@return table|nil err
function M:listen(where)
  if not where then
    local host, port = config.split_address(self.config.http_listen)
    where = { host = host, port = port }
  end
  local err
  self.server, err = http_server.listen(where, app.new {
    router = self.router, verify = self.verify, log = log.write,
  })
  if self.server then meters.watch("server", self.server) end
  return self.server, err
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
  local err
  self.ops_server, err = http_server.listen(where, endpoints.new(self))
  return self.ops_server, err
end

---Lets running requests finish, then closes. The probes say so before anything else happens.
---@param seconds number
function M:drain(seconds)
  self.draining = true
  self.server:drain()
  local left = seconds
  while self.server:stats().busy > 0 and left > 0 do
    task.sleep(0.02)
    left = left - 0.02
  end
  self:close()
end

function M:close()
  if self.scheduler then self.scheduler:cancel() end
  for _, kind in ipairs { "server", "db", "lanes", "manager" } do meters.watch(kind, nil) end
  if self.server then self.server:close() end
  if self.ops_server then self.ops_server:close() end
  self.db:close()
end

return M
