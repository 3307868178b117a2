-- The states of Lua plugins that a worker keeps in memory. Each state was built and checked when
-- its plugin was loaded; of more than fit the budget those are closed that nobody has asked for the
-- longest time, and a plugin whose state is closed gets a new one with its next event.
--
-- The budget is soft: what was used a moment ago stays, because building states for every event
-- would cost more than memory. A state that is closed lets the calls finish that are in it.

local time = require "host.time"

local M = {}

local KEEP_S = 1 -- since the last event of a state
local AT_ONCE = 4 -- states that one event closes at most: each takes some 50 microseconds

-- What a state takes beside its Lua heap: page ends of the allocator, the engine's own records.
local BESIDE = 20 * 1024

local pool = { budget = math.huge, keep_s = KEEP_S, used = 0, count = 0, opened = 0, closed = 0 }

-- A ring of drivers: `head.next` was used last, `head.prev` is closed first.
local head = {}
head.next, head.prev = head, head

local function unlink(driver)
  driver.prev.next, driver.next.prev = driver.next, driver.prev
  driver.prev, driver.next = nil, nil
end

local function link_after(place, driver)
  driver.prev, driver.next = place, place.next
  place.next.prev, place.next = driver, driver
end

local function drop(driver)
  unlink(driver)
  pool.used, pool.count = pool.used - driver.counted, pool.count - 1
  driver.counted = nil
end

local function count(driver, memory)
  memory = memory + BESIDE
  pool.used = pool.used + memory - driver.counted
  driver.counted = memory
end

-- Never the one that is about to be called, which is the first.
local function shrink(now)
  local driver, left = head.prev, AT_ONCE
  while pool.used > pool.budget and driver ~= head.next and left > 0 do
    if driver.used_at and now - driver.used_at < pool.keep_s then return end
    drop(driver)
    driver:close_state()
    pool.closed, left = pool.closed + 1, left - 1
    driver = head.prev
  end
end

---Sets the budget; it is kept to from the next call on.
---@param bytes number
---@param keep_s number|nil seconds since its last event for which a state is kept whatever it takes
function M.configure(bytes, keep_s) pool.budget, pool.keep_s = bytes, keep_s or KEEP_S end

---Takes in a driver whose state was just built.
---@param driver table with close_state()
---@param memory integer bytes of its state
---@param asked boolean it is about to be called; else it was only checked, and goes first
function M.add(driver, memory, asked)
  local now = time.mono()
  driver.counted, driver.used_at = 0, asked and now or nil
  pool.count, pool.opened = pool.count + 1, pool.opened + 1
  link_after(asked and head or head.prev, driver)
  count(driver, memory)
  shrink(now)
end

---Notes that a driver is called.
---@param driver table that was added
---@param memory integer bytes of its state now
function M.touch(driver, memory)
  driver.used_at = time.mono()
  if head.next ~= driver then
    unlink(driver)
    link_after(head, driver)
  end
  count(driver, memory)
  if pool.used > pool.budget then shrink(driver.used_at) end
end

---Takes a driver out whose state is closed by somebody else; harmless when it is not in.
---@param driver table
function M.remove(driver)
  if driver.counted then drop(driver) end
end

---For metrics: states in memory, their bytes, how many were built and how many closed for want of
---memory.
---@return {states: integer, bytes: number, opened: integer, closed: integer}
function M.stats()
  return { states = pool.count, bytes = pool.used, opened = pool.opened, closed = pool.closed }
end

return M
