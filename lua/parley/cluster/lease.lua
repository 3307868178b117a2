-- A lease: the right to do what only one worker of all may do, for as long as it is renewed.
--
-- A row counts its renewals. Whoever wants the lease watches the count and takes over when it has
-- stood still for some seconds of the watcher's own clock. The fence grows with each new holder:
-- transactions that begin with lease:guard() fail for a holder that has been overtaken. A database
-- in a file has one worker, which holds what it has taken.

local task = require "host.task"
local time = require "host.time"

local M = {}

---@class parley.Lease
local Lease = {}
Lease.__index = Lease

local STALE_S = 4  -- a count that stands still this long is nobody's
local OWN_S = 3    -- the holder stops by itself before
local RENEW_S = 1
local AGAIN_S = 1  -- between two runs of a function that has returned or failed

---@param cluster table
---@param name string
---@param fn fun(lease: parley.Lease)
---@param wants (fun(free_s: number): boolean)|nil whether to take it, after it was free so long
---@return parley.Lease
function M.new(cluster, name, fn, wants)
  return setmetatable({
    cluster = cluster, name = name, fn = fn, wants = wants, changed = task.cond(),
  }, Lease)
end

---Whether this worker may go on.
---@return boolean
function Lease:held()
  return self.fence ~= nil and time.mono() < self.until_s
end

---How long it is held without being renewed.
---@return number seconds
function Lease:left()
  return self.fence and math.max(0, self.until_s - time.mono()) or 0
end

---A statement for the beginning of a transaction: it fails ("conflict") when somebody else has
---taken the lease.
---@return table statement
function Lease:guard()
  return {
    "UPDATE leases SET renewals = renewals + 1 WHERE name = $1 AND owner = $2 AND fence = $3",
    self.name, self.cluster.id, self.fence or 0, expect = 1,
  }
end

---Sleeps, but not longer than the lease is held.
---@param seconds number
function Lease:sleep(seconds)
  if self:held() then self.changed:wait(seconds) end
end

---Ends the sleep of whoever sleeps on it.
function Lease:wake() self.changed:broadcast() end

local function lose(self)
  self.fence = nil
  self.changed:broadcast()
end

local function renew(self)
  if time.mono() < self.renewed_s + RENEW_S then return true end
  local since = time.mono()
  local ok, err = self.cluster.db:commit { self:guard() }
  if ok then
    self.renewed_s, self.until_s = since, since + OWN_S
  elseif err.code == "conflict" then
    lose(self)
  else
    return nil, err -- perhaps it goes better the next time; until_s runs out otherwise
  end
  return true
end

local function work(self)
  while self:held() do
    local ok, err = pcall(self.fn, self)
    if not ok and not self.cluster.stopped then
      self.cluster.log("error", "work of one worker has failed", {
        name = self.name, error = tostring(err),
      })
    end
    self:sleep(AGAIN_S)
  end
  self.running = false
end

local function take(self, fence)
  if self.cluster.stopped then return true end
  local since = time.mono()
  local done, err = self.cluster.db:commit {
    {
      "INSERT INTO leases (name, owner, fence, renewals) VALUES ($1, $2, $3, 0) "
        .. "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = excluded.fence "
        .. "WHERE leases.fence = excluded.fence - 1",
      self.name, self.cluster.id, fence, expect = 1,
    },
  }
  if not done then
    if err.code == "conflict" then return true end -- somebody was faster
    return nil, err
  end
  self.fence, self.renewed_s, self.until_s = fence, since, since + OWN_S
  if not self.cluster.shared then self.renewed_s, self.until_s = math.huge, math.huge end
  if not self.running then
    self.running = true
    task.spawn(work, self)
  end
  return true
end

local function read(self)
  return self.cluster.db:first("SELECT owner, fence, renewals FROM leases WHERE name = $1",
    self.name)
end

local function step(self, rows)
  if self:held() then return renew(self) end
  if self.fence then lose(self) end
  if self.running then return true end -- what was lost is still being wound up
  local row, err
  if rows then row = rows[self.name] else row, err = read(self) end
  if err then return nil, err end
  if self.cluster.stopped then return true end -- meanwhile: the database is closed by now
  if not row then
    if self.wants and not self.wants(0) then return true end
    return take(self, 1)
  end
  local now, mark = time.mono(), row.fence .. ":" .. row.renewals
  if self.mark ~= mark then self.mark, self.mark_since = mark, now end
  -- Its own name in the row: this worker has had it before a restart.
  local free = row.owner == "" or row.owner == self.cluster.id or not self.cluster.shared
    or now - self.mark_since >= STALE_S
  if not free then return true end
  if self.wants and not self.wants(now - self.mark_since) then return true end
  return take(self, row.fence + 1)
end

---Renews the lease, or takes it when nobody has it. Called by the cluster, a few times a second.
---@param rows table<string, table>|nil of leases, by name; nil: it looks itself
---@return boolean|nil ok
---@return table|nil err of the database
function Lease:step(rows)
  if self.stepping or self.cluster.stopped then return true end
  self.stepping = true
  local good, ok, err = pcall(step, self, rows)
  self.stepping = false
  if not good then error(ok, 0) end
  return ok, err
end

---Gives it up.
function Lease:release()
  if not self.fence then return end
  local guard = self:guard()
  lose(self)
  self.cluster.db:commit {
    guard, { "UPDATE leases SET owner = '' WHERE name = $1", self.name },
  }
end

return M
