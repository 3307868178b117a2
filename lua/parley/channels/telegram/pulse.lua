-- One timer for all that is due after a while - a sign that a bot is typing, an answer to a press -
-- instead of one for each turn: most turns are over long before. Nothing runs while nothing is due.

local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local TICK_S = 0.25

---@param parts {tick: fun(self: table, now: number): boolean}[] tick: does what is due at `now`,
---  without waiting; false when nothing more will be due
function M.new(parts)
  return setmetatable({ parts = parts, woken = task.cond() }, M)
end

local function run(self)
  while not self.closed do
    local again, now = false, time.mono()
    for _, part in ipairs(self.parts) do again = part:tick(now) or again end
    if again then
      task.sleep(TICK_S)
    else
      self.asleep = true
      self.woken:wait()
    end
  end
end

---Something will be due.
function M:wake()
  if not self.asleep then return end
  self.asleep = false
  self.woken:signal()
end

function M:start() self.task = task.spawn(run, self) end

function M:close()
  self.closed = true
  if self.task then self.task:cancel() end
end

return M
