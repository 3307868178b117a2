-- A circuit breaker: after too many failures within a window it lets nothing through for a while,
-- then a few probes, and closes again when they succeed.
--
-- Calls are counted in the window's slices, so that an old failure is forgotten without a timer.
-- The clock is given, in seconds, and never goes back.

local M = {}
M.__index = M

local SLICES = 10

---@class parley.BreakerOptions
---@field clock fun(): number seconds, monotonic
---@field window? number seconds that are looked back on (default 30)
---@field min_calls? integer in the window, below which it never opens (default 10)
---@field share? number of failures that opens it, 0 to 1 (default 0.5)
---@field open_for? number seconds (default 15)
---@field probes? integer that must succeed, one after another, to close it (default 2)
---@field on_change? fun(state: string, before: string)

--- A closed breaker.
---@param opts parley.BreakerOptions
---@return table breaker
function M.new(opts)
  return setmetatable({
    clock = assert(opts.clock, "breaker: a clock is needed"), window = opts.window or 30,
    min_calls = opts.min_calls or 10, share = opts.share or 0.5, open_for = opts.open_for or 15,
    probes = opts.probes or 2, on_change = opts.on_change, state = "closed", slices = {},
    opened_at = 0, probing = nil, probed = 0, generation = 0,
  }, M)
end

local function change(self, state)
  local before = self.state
  self.state, self.probing, self.probed = state, nil, 0
  -- What began under another state says nothing about this one.
  self.generation = self.generation + 1
  if state == "open" then self.opened_at = self.clock() end
  if state == "closed" then self.slices = {} end
  if self.on_change then self.on_change(state, before) end
end

-- The slice of now; it is emptied when it was last used for an earlier time.
local function slice_now(self)
  local number = math.floor(self.clock() / (self.window / SLICES))
  local i = number % SLICES + 1
  local slice = self.slices[i]
  if not slice or slice.number ~= number then
    slice = { number = number, good = 0, bad = 0 }
    self.slices[i] = slice
  end
  return slice, number
end

local function totals(self)
  local _, number = slice_now(self)
  local good, bad = 0, 0
  for _, slice in pairs(self.slices) do
    if number - slice.number < SLICES then good, bad = good + slice.good, bad + slice.bad end
  end
  return good, bad
end

--- Asks to make a call. Whoever gets a permit must report how the call went.
---@return integer? permit for report
---@return number? retry_after seconds, when there is none
function M:enter()
  if self.state == "open" then
    local left = self.opened_at + self.open_for - self.clock()
    if left > 0 then return nil, left end
    change(self, "half_open")
  end
  if self.state == "half_open" then
    -- One at a time: it may be the one too many. A probe that never reports, because its task died,
    -- is waited for no longer than the breaker stays open.
    if self.probing and self.clock() - self.probing < self.open_for then return nil, 1 end
    self.probing = self.clock()
  end
  return self.generation
end

--- Whether whoever can go elsewhere should: calls are refused, or a probe is under way. When one is
--- due, the next one who comes makes it.
---@return boolean
function M:shuns()
  if self.state == "open" then return self.opened_at + self.open_for > self.clock() end
  return self.state == "half_open" and self.probing ~= nil
    and self.clock() - self.probing < self.open_for
end

--- Lets one call through at a time from now on, until its probes have succeeded: for what is known
--- from elsewhere to be in trouble.
function M:doubt()
  if self.state == "closed" then change(self, "half_open") end
end

--- Says how a call went.
---@param permit integer from enter
---@param good boolean
function M:report(permit, good)
  if permit ~= self.generation then return end
  if self.state == "half_open" then
    self.probing = nil
    if not good then return change(self, "open") end
    self.probed = self.probed + 1
    if self.probed >= self.probes then change(self, "closed") end
    return
  end
  local slice = slice_now(self)
  if good then slice.good = slice.good + 1 else slice.bad = slice.bad + 1 end
  if good then return end
  local ok, bad = totals(self)
  if ok + bad >= self.min_calls and bad / (ok + bad) >= self.share then change(self, "open") end
end

--- What it counts, for status pages.
---@return {state: string, good: integer, bad: integer, retry_after: number?}
function M:stats()
  local good, bad = totals(self)
  local left = self.state == "open" and math.max(0, self.opened_at + self.open_for - self.clock())
  return { state = self.state, good = good, bad = bad, retry_after = left or nil }
end

return M
