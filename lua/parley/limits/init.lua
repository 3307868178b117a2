-- How many requests a user, a bot or a plugin may make in a window of time.
--
-- All workers and instances of one database, or of one Redis, share one count: never more than the
-- allowance is let through. A worker takes a block of it at once, so that most requests cost no
-- round trip: one at first, twice as many each time it runs out, and never more than a share of
-- what is left, so that nobody sits on the last of it. What it has not used for a second it gives
-- back. A refusal is remembered as long.
--
-- A worker that is killed loses its blocks for the rest of their windows: too little is let through
-- then, not too much.

local meters = require "parley.ops.meters"
local task = require "host.task"

local M = {}
M.__index = M

local SHARE = 8       -- a block is at most this part of what is left
local LOOK_S = 1      -- what is given back after, and what a refusal holds for
local WAIT_S = 10     -- for the round trip of another request with the same key
local KEYS_MAX = 1e5  -- then all are forgotten: their blocks are lost, nothing is let through twice
local BATCH = 200     -- blocks given back in one transaction

---@class parley.limits.Verdict
---@field allowed boolean
---@field kind string "user", "bot", "plugin", "telegram" (a person there), "refusal" (told once)
---@field limit integer
---@field seconds number length of the window
---@field remaining integer as this worker knows it; others may have taken some since
---@field reset integer seconds until the window ends, at least 1

---@param deps {driver: table, clock: (fun(): number), log: function} driver: parley.limits.either;
---  clock: seconds, monotonic
function M.new(deps)
  return setmetatable({
    driver = deps.driver, clock = deps.clock, log = deps.log, policies = {}, buckets = {},
    count = 0,
  }, M)
end

local function bucket_of(self, key)
  local b = self.buckets[key]
  if b then return b end
  if self.count >= KEYS_MAX then self.buckets, self.count = {}, 0 end
  b = { key = key, left = 0, used = 0, size = 1, waiting = 0, ends = 0, refused_until = 0, at = 0 }
  self.buckets[key] = b
  self.count = self.count + 1
  return b
end

local function verdict(b, kind, policy, now, allowed)
  return {
    allowed = allowed, kind = kind, limit = policy.requests, seconds = policy.seconds,
    remaining = allowed and math.max(0, policy.requests - b.used) + b.left or 0,
    reset = math.max(1, math.ceil(b.ends - now)),
  }
end

-- One trip for all that wait: as much as was asked for lately, within the share.
local function reserve(self, b, policy)
  local used = self.clock() < b.ends and b.used or 0
  local share = math.max(1, math.floor((policy.requests - used) / SHARE))
  local n = math.min(math.max(b.size, b.waiting + 1), share)
  local block, err = self.driver:reserve(b.key, n, policy.requests, policy.seconds)
  if not block then return nil, err end
  local now = self.clock()
  b.window, b.from, b.used = block.window, block.from, block.used
  b.left, b.ends = block.granted, now + block.left_s
  b.size = math.min(b.size * 2, policy.requests)
  if block.granted == 0 then b.refused_until = now + math.min(block.left_s, LOOK_S) end
  return true
end

-- The trip of this request, whose block the others that have come meanwhile wait for.
local function lead(self, b, policy)
  local trip = task.cond()
  b.trip, b.waiting = trip, 0
  local good, ok, err = pcall(reserve, self, b, policy)
  if b.trip == trip then b.trip = nil end
  trip:broadcast()
  if not good then error(ok, 0) end
  return ok, err
end

local function follow(b)
  local trip = b.trip
  b.waiting = b.waiting + 1
  local ok, err = trip:wait(WAIT_S)
  -- Whoever was to bring the block has died on the way: the next one tries again.
  if not ok and b.trip == trip then b.trip = nil end
  return ok, err
end

---Counts one request.
---@param kind "user"|"bot"|"plugin"|"telegram"|string
---@param id string
---@param policy {requests: integer, seconds: number}|nil default: the configured one of its kind
---@return parley.limits.Verdict|nil verdict nil without an err: nothing limits it
---@return table|nil err the store of the allowances could not be asked
function M:take(kind, id, policy)
  policy = policy or self.policies[kind]
  if not policy then return nil end
  local b = bucket_of(self, ("rate:%s:%s"):format(kind, id))
  while true do
    local now = self.clock()
    if now >= b.ends then b.left, b.used, b.refused_until = 0, 0, 0 end
    if b.left > 0 then
      b.left, b.at = b.left - 1, now
      return verdict(b, kind, policy, now, true)
    end
    if now < b.refused_until then
      if self.policies[kind] then meters.rate_limited:with(kind):inc() end
      return verdict(b, kind, policy, now, false)
    end
    local ok, err
    if b.trip then ok, err = follow(b) else ok, err = lead(self, b, policy) end
    if not ok then return nil, err end
  end
end

---The refusal as an error: 429 with Retry-After over HTTP.
---@param v parley.limits.Verdict
---@return table err
function M.refusal(v)
  return {
    code = "rate_limited", retryable = true, retry_after = v.reset,
    message = ("this %s may make %d requests in %g s: try again in %d s"):format(v.kind, v.limit,
      v.seconds, v.reset),
  }
end

-- Blocks that nobody has asked for since; keys whose window is over are forgotten.
local function idle(self, age_s)
  local now, out = self.clock(), {}
  for key, b in pairs(self.buckets) do
    if now >= b.ends and not b.trip then
      self.buckets[key] = nil
      self.count = self.count - 1
    elseif b.left > 0 and now - b.at >= age_s then
      out[#out + 1] = { key = key, window = b.window, n = b.left, from = b.from }
      b.used, b.left, b.size = b.used - b.left, 0, 1
    end
  end
  return out
end

---Gives back what was not used lately.
---@param age_s number|nil seconds; 0: all of it
---@return integer|nil blocks
---@return table|nil err what was not given back is lost until its window ends
function M:give_back(age_s)
  local blocks = idle(self, age_s or LOOK_S)
  for i = 1, #blocks, BATCH do
    local ok, err = self.driver:give_back { unpack(blocks, i, math.min(i + BATCH - 1, #blocks)) }
    if not ok then return nil, err end
  end
  return #blocks
end

---Takes up limits: at a start, and at a reload.
---@param policies table<string, {requests: integer, seconds: number}> by kind
function M:configure(policies)
  self:give_back(0)
  self.policies, self.buckets, self.count = policies, {}, 0
end

---Gives back now and then until the task is cancelled.
function M:run()
  while true do
    task.sleep(LOOK_S)
    local n, err = self:give_back()
    if not n then
      self.log("warn", "allowances were not given back", { code = err.code, error = err.message })
    end
  end
end

---For the metrics.
---@return {keys: integer}
function M:stats() return { keys = self.count } end

return M
