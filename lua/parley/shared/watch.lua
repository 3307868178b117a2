-- Whether Redis is fit to be used: it answers, soon, and takes writes.

local task = require "host.task"

local M = {}
M.__index = M

M.EVERY_S = 0.2
M.TIMEOUT_MS = 700 -- together: a server that says nothing is found out within a second
local WELL = 5     -- answers in a row that make it fit again: a server that comes and goes is away

---@param deps {client: table, on_away: fun(err: table), on_back: fun(): boolean|nil, table|nil}
---  on_back may fail: then Redis is still away
function M.new(deps) return setmetatable({ deps = deps, fit = false, well = 0 }, M) end

-- A write, because a full or read-only server answers a PING like any other.
local function probe(self) return self.deps.client:call("SET", "parley:probe", "1", "PX", 10000) end

---Redis has failed somebody.
---@param err table
function M:failed(err)
  self.well = 0
  if not self.fit then return end
  self.fit = false
  self.deps.on_away(err)
end

---Redis is not to be used, however fit it is.
---@param reason string|nil nil: it may be used again
function M:hold(reason)
  self.held = reason
  if reason then self:failed { code = "held", message = reason } end
end

---Asks once.
function M:once()
  if self.held then return end
  local ok, err = probe(self)
  if not ok then return self:failed(err) end
  if self.fit then return end
  self.well = self.well + 1
  if self.well < WELL or not self.deps.on_back() then return end
  self.fit, self.well = true, 0
end

---Asks now and then until the task is cancelled.
function M:run()
  while true do
    self:once()
    task.sleep(M.EVERY_S)
  end
end

return M
