-- Runs numbered cases several at a time, as a host has them.

local task = require "host.task"

local AT_ONCE = 4

---@param first integer
---@param last integer
---@param run fun(number: integer) one case; it raises when something does not hold
return function(first, last, run)
  local workers, next_number = {}, first
  for i = 1, AT_ONCE do
    workers[i] = task.spawn(function()
      while next_number <= last do
        local number = next_number
        next_number = next_number + 1
        run(number)
      end
    end)
  end
  for _, worker in ipairs(workers) do
    local ok, problem = worker:join()
    if not ok then error(problem, 0) end
  end
end
