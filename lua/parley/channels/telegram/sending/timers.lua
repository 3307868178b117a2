-- Calls at given times, from one task: a chat that waits costs an entry in a heap, not a task that
-- sleeps for hours.

local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

---@param log fun(level: string, message: string, fields: table)
function M.new(log)
  return setmetatable({ log = log, n = 0, changed = task.cond() }, M)
end

local function up(heap, i)
  local entry = heap[i]
  while i > 1 do
    local parent = math.floor(i / 2)
    if heap[parent].at <= entry.at then break end
    heap[i], i = heap[parent], parent
  end
  heap[i] = entry
end

local function down(heap, n)
  local entry, i = heap[1], 1
  while 2 * i <= n do
    local child = 2 * i
    if child < n and heap[child + 1].at < heap[child].at then child = child + 1 end
    if heap[child].at >= entry.at then break end
    heap[i], i = heap[child], child
  end
  heap[i] = entry
end

local function pop(self)
  local first = self[1]
  self[1], self[self.n] = self[self.n], nil
  self.n = self.n - 1
  if self.n > 1 then down(self, self.n) end
  return first
end

local function run(self)
  while self.n > 0 and not self.closed do
    local wait = self[1].at - time.mono()
    if wait > 0 then
      self.changed:wait(wait)
    else
      local entry = pop(self)
      local good, problem = pcall(entry.fn, entry.a, entry.b)
      if not good then
        self.log("error", "a timer has failed in the host", { error = tostring(problem) })
      end
    end
  end
  self.running = false
end

---Calls fn(a, b) at that time or soon after. fn must not wait.
---@param at number of time.mono
---@param fn function
function M:at(at, fn, a, b)
  self.n = self.n + 1
  self[self.n] = { at = at, fn = fn, a = a, b = b }
  up(self, self.n)
  if not self.running then
    self.running = true
    task.spawn(run, self)
  elseif self[1].at == at then
    self.changed:signal()
  end
end

---Nothing is called any more.
function M:close()
  self.closed = true
  self.changed:signal()
end

return M
