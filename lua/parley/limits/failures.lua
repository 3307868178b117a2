-- Failures of strangers, by their addresses, in this worker: who fails again and again is sent away
-- sooner. Windows are fixed, and all begin together; nothing is stored.

local M = {}
M.__index = M

local ADDRESSES_MAX = 10000 -- in one window; those that come later are counted as one

---@param opts {max: integer, seconds: number, clock: fun(): number} clock: monotonic
function M.new(opts)
  return setmetatable({
    max = opts.max, seconds = opts.seconds, clock = opts.clock, counts = {}, addresses = 0,
    ends = opts.clock() + opts.seconds,
  }, M)
end

-- Whoever has an address of IPv6 has all of its first 64 bits.
local function network(address)
  local groups = address:match "^%x*:%x*:%x*:%x*"
  return groups or address
end

---Counts a failure.
---@param address string
---@return boolean allowed false: more than there may be
---@return integer seconds until the window ends, at least 1
function M:add(address)
  local now, key = self.clock(), network(address)
  if now >= self.ends then
    self.counts, self.addresses, self.ends = {}, 0, now + self.seconds
  end
  if not self.counts[key] then
    if self.addresses >= ADDRESSES_MAX then key = "others" end
    self.addresses = self.addresses + 1
  end
  local n = (self.counts[key] or 0) + 1
  self.counts[key] = n
  return n <= self.max, math.max(1, math.ceil(self.ends - now))
end

return M
