-- A system to break: instances of the real program on one database, with a plugin that counts in Lua and one
-- that acts over REST, and clients that keep it busy.

local checker = require "spec.support.checker"
local crypto = require "host.crypto"
local fault_proxy = require "spec.support.fault_proxy"
local fs = require "host.fs"
local host_postgres = require "host.postgres"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local load = require "spec.support.load"
local postgres = require "spec.support.postgres"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local redis = require "spec.support.redis"
local serve = require "spec.support.serve"
local sqlite = require "host.sqlite"
local task = require "host.task"
local webhook = require "parley.plugins.webhook"

local M = {}
M.__index = M

local RATE = 800 -- turns/s that the clients aim at: the criterion asks for 500
local RING_EVERY = { tally = 50, act = 10 }
local CONF = [[
return {
%s
  plugins = { act = { signing_secret = "%s", allow_private = true } },
}
]]

-- Every so many messages leave a job behind.
local function rings(command, n) return n % RING_EVERY[command] == 0 end

local function text_of(command, n)
  return ("/%s %d%s"):format(command, n, rings(command, n) and " ring" or "")
end

local function prepare(self, home)
  assert(fs.mkdir(home .. "/conf"))
  assert(fs.write(home .. "/conf/parley.lua", CONF:format(self.conf, self.secret)))
  host.write_plugin({ home = home }, "act", {
    manifest = { transport = "rest", endpoint = self.vendor_url, permissions = { "jobs" } },
  })
  local tally = "spec/chaos/plugins/tally/"
  host.write_plugin({ home = home }, "tally", {
    manifest = json.decode(fs.read(tally .. "manifest.json")), main = fs.read(tally .. "main.lua"),
  })
end

-- Instances are named by their place: a restarted one has another process and another port.
local function start_instance(self, i)
  local instance = self.instances[i]
  local h = serve.start {
    home = instance.home, argv = self.argv, env = self.env,
    prepare = not instance.home and function(home) prepare(self, home) end or nil,
  }
  instance.h, instance.home, instance.port = h, h.home, h.port
  if self.proxy and i == 1 then self.proxy:to(h.port) end
end

-- The hosts reach a server through a proxy that has faults.
local function through_proxy(url)
  local before, port, after = url:match "^(.-@127%.0%.0%.1:)(%d+)(.*)$"
  local proxy = fault_proxy.start(tonumber(port))
  return proxy, before .. proxy.port .. after
end

---@class spec.RigOptions
---@field workers? integer of each instance, default 1
---@field instances? integer default 1
---@field argv? string[] instead of `parley serve`
---@field env? table<string, string> of the instances
---@field proxy? boolean some clients come through one that has faults
---@field postgres? boolean on a PostgreSQL of its own
---@field redis? boolean with a Redis of its own
---@field url? string of a PostgreSQL that is there
---@field conf? string more of conf/parley.lua
---@field sqlite? string path of the database, default: in the home

---@param o spec.RigOptions|nil
function M.start(o)
  o = o or {}
  local self = setmetatable({ argv = o.argv, instances = {}, secret = webhook.new_secret() }, M)
  self.vendor = python.start "spec/chaos/acting_plugin.py"
  self.vendor_url = ("http://127.0.0.1:%d"):format(self.vendor.port)
  self.sqlite, self.url, self.conf = o.sqlite, o.url, o.conf or ""
  self.env = { PARLEY_WORKERS = tostring(o.workers or 1), PARLEY_DATABASE_URL = o.url or o.sqlite and "sqlite:" .. o.sqlite }
  if o.postgres then
    self.postgres = postgres.start()
    self.postgres_link, self.env.PARLEY_DATABASE_URL = through_proxy(self.postgres.tcp_url)
  end
  if o.redis then
    self.redis = redis.start()
    self.redis_link, self.env.PARLEY_REDIS_URL = through_proxy(self.redis.url)
  end
  self.by_arrival = (o.workers or 1) * (o.instances or 1) == 1
  for name, value in pairs(o.env or {}) do self.env[name] = value end
  for i = 1, o.instances or 1 do
    self.instances[i] = {}
    start_instance(self, i)
  end
  self.others = #self.instances > 1
  self.token = self.instances[1].h.token
  if o.proxy then self.proxy = fault_proxy.start(self.instances[1].port) end
  return self
end

---Clients for the instances; with a proxy, some come through it. Their dialogs are new ones.
---@param o {rate: number|nil, targets: {port: integer}[]|nil}|nil
---@return table load
function M:load(o)
  local targets = o and o.targets or { unpack(self.instances) }
  if not (o and o.targets) then targets[#targets + 1] = self.proxy end
  self.running = load.start {
    targets = targets, token = self.token, prefix = crypto.hex(crypto.random(4)),
    dialogs = { { command = "tally", count = 20 }, { command = "act", count = 2 } }, connections = 3,
    rate = o and o.rate or RATE, text = text_of,
  }
  return self.running
end

---Kills an instance with all of its processes, and starts it again.
---@param i integer
---@param seconds number|nil that it stays away
function M:restart(i, seconds)
  local h = self.instances[i].h
  local family = programs.family(h.pid)
  programs.kill(family, "KILL")
  h:close()
  if seconds then task.sleep(seconds) end
  start_instance(self, i)
end

---Lets an instance stand still with all of its processes, as a virtual machine does that is moved, and go on after
---the others have taken it for dead.
---@param i integer
---@param seconds number
function M:freeze(i, seconds)
  local family = programs.family(self.instances[i].h.pid)
  programs.kill(family, "STOP")
  task.sleep(seconds)
  programs.kill(family, "CONT")
end

---The database that the instances share.
function M:database()
  if self.db then return self.db end
  local url = self.url or self.postgres and self.postgres.url
  if url then
    self.db = host_postgres.open { url = url, writers = 1, readers = 1 }
    assert(host_postgres.wait(self.db))
  else
    self.db = assert(sqlite.open { path = self.sqlite or self.instances[1].home .. "/data/parley.db" })
  end
  return self.db
end

---Stops the clients, and holds the database against what they know.
---@return table[] problems of spec.support.checker
function M:check(options)
  self.running:stop()
  local acted = assert(http.request { url = self.vendor_url .. "/acted", allow_private = true, max_body = 1e9 })
  local o = { by_arrival = self.by_arrival, rings = rings, acted = assert(json.decode(acted.body, { max_nodes = 1e9 })) }
  for k, v in pairs(options or {}) do o[k] = v end
  return checker.check(self.running, self:database(), o)
end

function M:close()
  if self.db then self.db:close() end
  for _, instance in ipairs(self.instances) do instance.h:close() end
  for _, part in ipairs { "proxy", "postgres_link", "postgres", "redis_link", "redis" } do
    if self[part] then self[part]:stop() end
  end
  self.vendor:stop()
end

return M
