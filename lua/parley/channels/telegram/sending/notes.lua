-- Writes down what became of deliveries. What gathers while one transaction is under way is the
-- next: under load a note costs a part of a commit, alone it goes at once.

local task = require "host.task"

local M = {}
M.__index = M

local PAUSE_S, PAUSE_MAX_S = 0.5, 10
local STATEMENTS = 500 -- of a transaction

---@param db table
---@param log function
function M.new(db, log) return setmetatable({ db = db, log = log, batches = {} }, M) end

-- One that the database refuses must not hold up the others.
local function one_by_one(self, batch)
  while #batch > 0 do
    local ok, err = self.db:commit(batch[1])
    if not ok then
      if err.retryable then return nil, err end
      self.log("error", "what became of a delivery cannot be noted", { error = err.message })
    end
    table.remove(batch, 1)
  end
  return true
end

local function commit(self, batch)
  if #batch == 1 then
    local ok, err = self.db:commit(batch[1])
    return ok, err
  end
  local all = { results = false }
  for _, statements in ipairs(batch) do
    for _, s in ipairs(statements) do all[#all + 1] = s end
  end
  return self.db:commit(all)
end

local function write(self, batch)
  local pause, told = PAUSE_S, false
  while not self.closed do
    local ok, err = commit(self, batch)
    if not ok and not err.retryable then ok, err = one_by_one(self, batch) end
    if ok then return true end
    if not told then
      self.log("error", "what was sent cannot be noted: its chats wait", { error = err.message })
      told = true
    end
    task.sleep(pause)
    pause = math.min(pause * 2, PAUSE_MAX_S)
  end
  return false
end

local function run(self)
  while #self.batches > 0 do
    local batch = table.remove(self.batches, 1)
    batch.full = true
    local good, ok = pcall(write, self, batch)
    batch.ok, batch.done = good and ok, true
    batch.cond:broadcast()
    self.cond = batch.cond -- for the next one: all who waited are awake
    if not good then
      self.log("error", "notes have failed in the host", { error = tostring(ok) })
    end
  end
  self.running = false
end

---Waits until the statements are durable, in one transaction. While the database is away it waits.
---@param statements table[]
---@return boolean ok false: it was closed before
function M:write(statements)
  local batch = self.batches[#self.batches]
  if not batch or batch.full or batch.n + #statements > STATEMENTS then
    batch = { n = 0, cond = self.cond or task.cond() }
    self.cond = nil
    self.batches[#self.batches + 1] = batch
  end
  batch[#batch + 1], batch.n = statements, batch.n + #statements
  if not self.running then
    self.running = true
    task.start(run, self)
  end
  while not batch.done do batch.cond:wait(60) end
  return batch.ok
end

---What is not durable yet stays so.
function M:close() self.closed = true end

return M
