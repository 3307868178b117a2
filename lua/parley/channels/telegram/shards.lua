-- Which worker works for which bots. A lease for each bot would mean 10 000 rows that are renewed
-- once a second: there are SHARDS leases, each for the bots whose names hash to it, and the workers
-- share them.
--
-- A worker takes no more than its part of them, unless nobody else takes one that is free. When
-- workers have come, it gives away what it has too much of, after it has ended what it has begun.

local crypto = require "host.crypto"
local time = require "host.time"

local M = {}
M.__index = M

local SHARDS = 16
local ORPHAN_S = 8     -- so long a lease is free before it is taken beyond one's part
local BALANCE_S = 30   -- after workers have come
local LOOK_S = 1
local DRAIN_S = 5      -- for what was begun to come to its end

---@param deps {cluster: table, open: fun(name: string): table, log: function,
---  each: fun(): function} open: makes the runner of a bot; each: iterates over all bots
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

local function start(self, bot, lease)
  if bot.state ~= "active" or self.stopped then return end
  local runner = self.open(bot, lease)
  self.runners[bot.name] = runner
  runner:start()
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
  for name, bot in self.each() do
    if M.of(name) == shard then start(self, bot, lease) end
  end
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
    start(self, bot, lease)
  end
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
