-- Brings the events of table streams into the streams of Redis, in order, and takes them away.
--
-- One worker of all does it: what instances have committed one after the other is published one
-- after the other. An event is there until Redis has it, so it may come twice (its id is the same),
-- never not at all.

local crypto = require "host.crypto"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local BATCH = 200
local BYTES = 4 * 1024 * 1024 -- of one batch; Redis stands still for a script
local POLL_S = 0.1            -- what other workers have put there
local TRANSIENT = { "^OOM", "^MISCONF", "^READONLY", "^NOREPLICAS", "^LOADING", "^MASTERDOWN",
  "^NOPERM" }

---@param deps {db: table, redis: table, log: function, ready: (fun(): boolean),
---  failed: fun(err: table)} redis: of parley.shared.redis; ready: Redis may be asked;
---  failed: it could not take an event
function M.new(deps)
  local self = setmetatable(deps, M)
  self.more, self.published = task.cond(), 0
  return self
end

---There is something to publish.
function M:wake() self.more:broadcast() end

-- One text for few events, one for many: the database keeps them prepared.
local DELETES = {}
for _, n in ipairs { 1, 8, 40, BATCH } do
  local marks = {}
  for i = 1, n do marks[i] = "$" .. i end
  DELETES[#DELETES + 1] = {
    n = n, sql = "DELETE FROM streams WHERE id IN (" .. table.concat(marks, ", ") .. ")",
  }
end

local function delete(rows, count)
  for _, d in ipairs(DELETES) do
    if d.n >= count then
      local statement = { d.sql, n = d.n }
      for i = 1, d.n do statement[i + 1] = rows[math.min(i, count)].id end
      return statement
    end
  end
end

-- An event that Redis refuses for good (its key holds something else) must not hold up the others.
local function set_aside(self, row, reason)
  self.log("error", "an event cannot be published and is in dead_letters", {
    stream = row.stream, error = reason,
  })
  return {
    "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
      .. "VALUES ($1, $2, $3, $4, 1, $5, $6)",
    crypto.uuid7(), "stream:" .. row.stream, row.payload, reason, task.trace() or crypto.trace_id(),
    time.now_ms(),
  }
end

local function is_transient(reason)
  for _, pattern in ipairs(TRANSIENT) do if reason:find(pattern) then return true end end
  return false
end

local function next_batch(self)
  local rows, err = self.db:query("SELECT id, stream, payload FROM streams ORDER BY id LIMIT "
    .. BATCH)
  if not rows then return nil, err end
  local bytes = 0
  for i, row in ipairs(rows) do
    bytes = bytes + #row.payload
    if bytes > BYTES and i > 1 then return { unpack(rows, 1, i - 1) } end
  end
  return rows
end

local function forget(self, lease, statements)
  table.insert(statements, 1, lease:guard())
  return self.db:commit(statements)
end

---Publishes one batch.
---@param lease parley.Lease
---@return integer|nil events that have left the table
---@return table|nil err
function M:once(lease)
  local rows, err = next_batch(self)
  if not rows or #rows == 0 or not lease:held() then return rows and 0, err end
  local done, refusal = self.redis:publish(rows, lease.fence)
  if not done then
    self.failed(refusal)
    return nil, refusal
  end
  self.published = self.published + done
  local statements, left = {}, done
  if done > 0 then statements[1] = delete(rows, done) end
  if refusal and refusal ~= "FENCED" then
    if is_transient(refusal) then
      err = { code = "unavailable", message = refusal, retryable = true, op = "shared.publish" }
      self.failed(err)
    else
      local bad = rows[done + 1]
      statements[#statements + 1] = set_aside(self, bad, refusal)
      statements[#statements + 1] = delete({ bad }, 1)
      left = left + 1
    end
  end
  if #statements > 0 then
    local ok, problem = forget(self, lease, statements)
    if not ok then return nil, problem end
  end
  return left, err
end

---Publishes for as long as this worker holds the lease.
---@param lease parley.Lease
function M:run(lease)
  while lease:held() do
    local left, err = 0, nil
    if self.ready() then left, err = self:once(lease) end
    if err then
      self.log("warn", "events wait to be published", { code = err.code, error = err.message })
    end
    if err or left == 0 then self.more:wait(POLL_S) end
  end
end

return M
