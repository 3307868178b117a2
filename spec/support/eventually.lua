-- Waiting for what must come. How long it takes is nobody's promise: a machine that has other work
-- may need half a minute for what is usually a matter of milliseconds.

local task = require "host.task"
local time = require "host.time"

local SECONDS = 30

---Waits until f() gives something, and returns it.
---@param what string for the message when it does not happen
---@param f fun(): any
---@param seconds number|nil default 30
return function(what, f, seconds)
  local deadline = time.mono() + (seconds or SECONDS)
  while true do
    local v = f()
    if v then return v end
    if time.mono() > deadline then error(what .. ": it did not happen", 2) end
    task.sleep(0.01)
  end
end
