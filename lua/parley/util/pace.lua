-- For long work in straight lines: turns and the network have their share of the loop meanwhile.

local task = require "host.task"
local time = require "host.time"

local M = {}

local SHARE_S = 0.001

---@return fun() pause to be called between steps: waits for a turn of the loop when the work has
---  kept it long enough
function M.new()
  local since = time.mono()
  return function()
    if time.mono() - since < SHARE_S then return end
    task.sleep(0)
    since = time.mono()
  end
end

return M
