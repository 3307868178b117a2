-- Which worker works for which bots. A lease for each bot would mean 10 000 rows that are renewed
-- once a second: there are SHARDS leases, each for the bots whose names hash to it, and the workers
-- share them.
--
-- A worker takes no more than its part of them, unless nobody else takes one that is free. When
-- workers have come, it gives away what it has too much of, after it has ended what it has begun.

local crypto = require "host.crypto"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local SHARDS = 16
local ORPHAN_S = 8     -- so long a lease is free before it is taken beyond one's part
local BALANCE_S = 30   -- after workers have come
local LOOK_S = 1
local AT_ONCE, PAUSE_S = 4, 0.005 -- bots that are begun with, in each shard
local DRAIN_S = 5      -- for what was begun to come to its end

---@param deps {cluster: table, each: fun(): function,
---  open: (fun(bot: parley.Bot, lease: parley.Lease): parley.BotRunner),
---  take_up: fun(runners: parley.BotRunner[])} each: iterates over all bots; open: makes the runner
---  of one; take_up: has those that have begun send what was left
function M.new(deps)
  local self = setmetatable(deps, M)
  self.held, self.runners, self.workers, self.balance_until = {}, {}, 1, 0
  return self
end

---@param name string of a bot
---@return integer
function M.of(name) return crypto.sha256(name):byte() % SHARDS end

---The name of the lease of a bot.
---@param name string
---@return string
function M.lease(name) return ("telegram:%02d"):format(M.of(name)) end

local function count(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

local function part(self) return math.ceil(SHARDS / math.max(1, self.cluster.workers or 1)) end

-- Whether a lease that nobody has is for this worker.
local function wants(self, free_s)
  return not self.stopped and (count(self.held) < part(self) or free_s >= ORPHAN_S)
end

-- Whether there are workers that have less, since a moment ago.
local function has_too_many(self)
  local workers, now = self.cluster.workers or 1, time.mono()
  if workers > self.workers then self.balance_until = now + BALANCE_S end
  self.workers = workers
  return now < self.balance_until and count(self.held) > part(self)
end

-- Begins with some bots, a few at a time: the worker has other things to do, too.
local function start(self, bots, lease)
  local begun = {}
  for i, bot in ipairs(bots) do
    if self.stopped or not lease:held() then break end
    -- While others were begun with, it may have been begun with, paused or removed.
    if bot.state == "active" and not bot.gone and not self.runners[bot.name] then
      local runner = self.open(bot, lease)
      self.runners[bot.name] = runner
      if runner:start() then begun[#begun + 1] = runner end
    end
    if i % AT_ONCE == 0 then task.sleep(PAUSE_S) end
  end
  -- In a task of its own: it may wait for the database, which the lease does not.
  if #begun > 0 then task.spawn(self.take_up, begun) end
end

local function stop(self, name)
  local runner = self.runners[name]
  if not runner then return end
  self.runners[name] = nil
  runner:stop()
  return runner
end

local function work(self, shard, lease)
  self.held[shard] = lease
  local mine = {}
  for name, bot in self.each() do
    if M.of(name) == shard then mine[#mine + 1] = bot end
  end
  start(self, mine, lease)
  local leaves = false
  while lease:held() and not leaves do
    lease:sleep(math.min(LOOK_S, lease:left()))
    leaves = has_too_many(self)
  end
  self.held[shard] = nil
  local ended, deadline = {}, time.mono() + DRAIN_S
  for name in pairs(self.runners) do
    if M.of(name) == shard then ended[#ended + 1] = stop(self, name) end
  end
  for _, runner in ipairs(ended) do runner:drain(deadline) end
  if leaves then lease:release() end
end

---Takes part. What leads calls for a lease is called again after it has failed.
function M:begin()
  for shard = 0, SHARDS - 1 do
    self.cluster:lead(("telegram:%02d"):format(shard), function(lease)
      work(self, shard, lease)
    end, function(free_s) return wants(self, free_s) end)
  end
end

---Follows a change of a bot: the others go on undisturbed.
---@param change parley.FleetChange
function M:follow(change)
  local bot = change.bot
  if not (change.gone or change.again) then
    local runner = change.turned and self.runners[bot.name]
    return runner and runner:turn()
  end
  local runner = stop(self, bot.name)
  if runner then runner:drain(time.mono() + DRAIN_S) end
  local lease = self.held[M.of(bot.name)]
  if not change.gone and lease and lease:held() and not self.runners[bot.name] then
    start(self, { bot }, lease)
  end
end

---How many of the bots that this worker works for are in which state.
---@param failing fun(name: string, code: string) is told of each that fails
---@return table<string, integer>
function M:states(failing)
  local out = { starting = 0, polling = 0, sending = 0, failing = 0, paused = 0 }
  for name, runner in pairs(self.runners) do
    out[runner.state] = (out[runner.state] or 0) + 1
    if runner.state == "failing" and runner.problem then failing(name, runner.problem.code) end
  end
  for name, bot in self.each() do
    if bot.state == "paused" and self.held[M.of(name)] then out.paused = out.paused + 1 end
  end
  return out
end

---Nothing is polled from here on; what is to be sent goes out.
function M:stop()
  self.stopped = true
  for _, runner in pairs(self.runners) do runner:stop_polling() end
end

---Nothing is sent from here on, either.
function M:close()
  self:stop()
  for _, runner in pairs(self.runners) do runner:stop() end
end

return M
