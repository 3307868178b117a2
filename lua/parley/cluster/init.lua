-- What the workers of all instances that share a database know of each other: that something has
-- changed of which each keeps a copy (revisions), who does the work that only one may do (leases),
-- and who is gone (heartbeats).
--
-- It is all in the database, looked at twice a second: what is committed is seen, also by who was
-- cut off meanwhile, and no other service is needed. The workers of one host may tell each other to
-- look at once. Whether a heartbeat or a lease still moves is
-- judged by the watcher's own monotonic clock; clocks of two machines are never compared.

local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"
local lease = require "parley.cluster.lease"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local LOOK_S = 0.4   -- a change is known everywhere within a second
local BEAT_EVERY = 3 -- looks
local DEAD_S = 5     -- without a heartbeat
local NUDGE_S = 0.01 -- at most so often the others are told to look

---The name of a worker, the same after a restart: so that it finds what it has left behind.
---@param home string
---@param index integer|nil of the worker in its host
---@return string|nil id
---@return table|nil err
function M.identity(home, index)
  local path = home .. "/data/instance-id"
  local text = fs.read(path, 100)
  local id = text and text:match "^(%x+)%s*$"
  if not id then
    id = crypto.hex(crypto.random(6))
    local ok, err = fs.mkdir(home .. "/data", tonumber("700", 8))
    if ok then ok, err = fs.write(path, id .. "\n", tonumber("600", 8)) end
    if not ok then return nil, err end
  end
  return ("%s/%d"):format(id, index or 0)
end

---@param deps {db: table, id: string, info: table|nil, look_s: number|nil,
---  nudge: (fun())|nil, log: fun(level: string, message: string, fields: table)} info: of this
---  worker, for people; look_s: seconds between looks; nudge: has the other workers of this host
---  call M:hurry
function M.new(deps)
  return setmetatable({
    db = deps.db, id = deps.id, info = deps.info and json.encode(deps.info), log = deps.log,
    look_s = deps.look_s or LOOK_S, tell = deps.nudge, told_at = 0, told = task.cond(),
    handlers = {}, versions = nil, leaders = {}, seen = {}, shared = deps.db:dialect() ~= "sqlite",
    workers = 1,
  }, M)
end

---A statement for the transaction that changes something of which every worker keeps a copy.
---@param name string "tokens", "plugins", "mode"
---@return table statement
function M.bump(name)
  return {
    "INSERT INTO revisions (name, version) VALUES ($1, 1) "
      .. "ON CONFLICT (name) DO UPDATE SET version = revisions.version + 1", name,
  }
end

---Calls fn, in a task, within a second after anybody has bumped the name; once for several bumps
---in between.
---@param name string
---@param fn fun()
function M:on(name, fn)
  self.handlers[name] = self.handlers[name] or {}
  table.insert(self.handlers[name], fn)
end

---What was bumped is committed, and somebody waits for it: the other workers of this host look at
---once. Others do as ever.
function M:nudge()
  if not self.tell or self.nudging then return end
  local left = self.told_at + NUDGE_S - time.mono()
  if left <= 0 then
    self.told_at = time.mono()
    return self.tell()
  end
  self.nudging = true
  task.spawn(function()
    task.sleep(left)
    self.nudging, self.told_at = false, time.mono()
    self.tell()
  end)
end

---Another worker has changed something: this one looks now.
function M:hurry()
  self.hurried = true
  self.told:signal()
end

---Calls fn(lease) in a task while this worker is the one that does the work of this name. fn looks
---at lease:held() between its steps and returns soon after it is lost; when it returns or fails
---before, it is called again.
---@param name string
---@param fn fun(lease: parley.Lease)
---@param wants (fun(free_s: number): boolean)|nil whether this worker takes the lease, which has
---  been free so long; default: always
function M:lead(name, fn, wants)
  local l = lease.new(self, name, fn, wants)
  self.leaders[name] = l
  if self.runner then task.spawn(l.step, l) end -- not only at the next look
end

---The revision of a name as it was last looked at; 0: nobody has ever bumped it.
---@param name string
---@return integer
function M:revision(name) return self.versions[name] or 0 end

local function run_handlers(self, name)
  for _, fn in ipairs(self.handlers[name] or {}) do
    task.spawn(function()
      local ok, err = pcall(fn)
      if not ok then
        self.log("error", "a change could not be followed", { name = name, error = tostring(err) })
      end
    end)
  end
end

---Looks for changes now.
---@return boolean|nil ok
---@return table|nil err
function M:look()
  local rows, err = self.db:query "SELECT name, version FROM revisions"
  if not rows then return nil, err end
  local first, versions = not self.versions, {}
  for _, row in ipairs(rows) do
    versions[row.name] = row.version
    if not first and self.versions[row.name] ~= row.version then run_handlers(self, row.name) end
  end
  self.versions = versions
  return true
end

local function beat(self)
  return self.db:commit {
    {
      "INSERT INTO instances (id, heartbeat, started_at, info) VALUES ($1, 1, $2, $3) "
        .. "ON CONFLICT (id) DO UPDATE SET heartbeat = instances.heartbeat + 1, "
        .. "started_at = excluded.started_at, info = excluded.info",
      self.id, self.started_at, self.info, n = 3,
    },
  }
end

-- Every worker that counts its heartbeats, or has left something without counting any more: it was
-- stopped before it had finished.
local function find_all(self)
  local rows, err = self.db:query "SELECT id, heartbeat FROM instances"
  if not rows then return nil, err end
  local known = {}
  for _, row in ipairs(rows) do known[row.id] = true end
  local owners
  owners, err = self.owners()
  if not owners then return nil, err end
  for _, id in ipairs(owners) do
    if not known[id] then rows[#rows + 1] = { id = id, heartbeat = -1 } end
  end
  return rows
end

-- The ids of workers whose heartbeat has stood still while this one was looking.
local function find_dead(self)
  local rows, err = find_all(self)
  if not rows then return nil, err end
  local now, seen, dead = time.mono(), {}, {}
  for _, row in ipairs(rows) do
    local before = self.seen[row.id]
    local since = before and before.heartbeat == row.heartbeat and before.since or now
    seen[row.id] = { heartbeat = row.heartbeat, since = since }
    if row.id ~= self.id and now - since >= DEAD_S then dead[#dead + 1] = row.id end
  end
  self.seen = seen
  return dead
end

-- The one that leads looks after those that are gone.
local function watch(self, l)
  self.seen = {}
  while l:held() do
    local dead, err = find_dead(self)
    for _, id in ipairs(dead or {}) do
      self.log("warn", "a worker is gone, what it has left is taken up", { worker = id })
      local ok
      ok, err = pcall(self.bury, id, l)
      if ok then
        ok, err = self.db:commit {
          l:guard(), { "DELETE FROM instances WHERE id = $1", id },
        }
      end
      if not ok then break end
    end
    if err then
      self.log("error", "workers that are gone cannot be looked after", {
        error = type(err) == "table" and err.message or tostring(err),
      })
    end
    l:sleep(1)
  end
end

---Called when a worker has been silent for some seconds, once, in the worker that leads "recovery".
---@param fn fun(id: string, lease: parley.Lease)
---@param owners fun(): string[]|nil, table|nil the workers that have something unfinished
function M:on_dead(fn, owners)
  self.bury, self.owners = fn, owners
  if self.shared then self:lead("recovery", function(l) watch(self, l) end) end
end

-- How many workers there are, for work that is to be shared among them.
local function count(self)
  local row, err = self.db:first "SELECT count(*) AS n FROM instances"
  if not row then return nil, err end
  self.workers = row.n
  return true
end

local function read_leases(self)
  local missing = false
  for _, l in pairs(self.leaders) do missing = missing or not l:held() end
  if not missing then return {} end
  local rows, err = self.db:query "SELECT name, owner, fence, renewals FROM leases"
  if not rows then return nil, err end
  local by_name = {}
  for _, row in ipairs(rows) do by_name[row.name] = row end
  return by_name
end

-- One query for all leases, and one group of transactions: with a few dozen of them a slow database
-- would else take longer than a lease lasts.
local function step_all(self)
  local rows, err = read_leases(self)
  if not rows then return nil, err end
  local steps, all = {}, true
  for _, l in pairs(self.leaders) do steps[#steps + 1] = task.child(l.step, l, rows) end
  for _, step in ipairs(steps) do
    local good, ok, problem = step:join()
    if not good then error(ok, 0) end
    if not ok then all, err = nil, problem end
  end
  return all, err
end

local function report(self, err)
  -- Said once for an outage: every request that it fails says so too.
  if err and not self.away then
    self.log("error", "the database cannot be asked for changes", {
      code = err.code, error = err.message,
    })
  end
  self.away = err ~= nil
end

-- Until the next turn. Whoever is told to look does nothing else in between.
local function rest(self)
  local till = time.mono() + self.look_s
  while not self.stopped do
    if self.hurried then
      self.hurried = false
      local ok, err = self:look()
      report(self, not ok and err or nil)
    end
    local left = till - time.mono()
    if left <= 0 then return end
    if not self.hurried then self.told:wait(left) end
  end
end

local function run(self)
  local n = 0
  while not self.stopped do
    local ok, err = self:look()
    if ok and self.shared and n % BEAT_EVERY == 0 then ok, err = beat(self) end
    if ok and self.shared and n % BEAT_EVERY == 0 then ok, err = count(self) end
    if ok then ok, err = step_all(self) end
    report(self, not ok and err or nil)
    n = n + 1
    rest(self)
  end
end

---Begins to look and to beat.
---@return boolean|nil ok
---@return table|nil err
function M:begin()
  self.started_at = time.now_ms()
  local ok, err = self:look()
  if ok and self.shared then ok, err = beat(self) end
  if ok and self.shared then ok, err = count(self) end
  if not ok then return nil, err end
  self.runner = task.spawn(run, self)
  return true
end

---Stops; leases and the heartbeat are given up, so that others take over at once.
function M:close()
  self.stopped = true
  if not self.runner then return end
  self.runner:cancel()
  for _, l in pairs(self.leaders) do l:release() end
  if self.shared then
    self.db:commit { { "DELETE FROM instances WHERE id = $1", self.id } }
  end
end

return M
