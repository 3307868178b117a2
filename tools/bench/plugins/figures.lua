-- What the benchmarks of plugins share: rows with a goal beside the figure, quantiles, processes.

local M = {}

---One row: what was measured, beside what it must be.
---@param what string
---@param value string
---@param goal string|nil
---@param met boolean|nil
function M.row(what, value, goal, met)
  local verdict = goal and ("%s  %s"):format(goal, met and "met" or "MISSED") or ""
  print(("%-47s %-38s %s"):format(what, value, verdict))
end

---@param values number[] sorted afterwards
---@param q number 0 to 1
function M.quantile(values, q)
  table.sort(values)
  return values[math.max(1, math.ceil(q * #values))]
end

function M.median(values) return M.quantile(values, 0.5) end

local function status_mb(pid, field)
  for line in io.lines("/proc/" .. pid .. "/status") do
    local kb = line:match("^" .. field .. ":%s*(%d+)")
    if kb then return tonumber(kb) / 1024 end
  end
end

---Memory of a process that lies in RAM, in MB.
---@param pid integer|"self"
function M.resident(pid) return status_mb(pid, "VmRSS") end

---What of it no other process shares, in MB.
---@param pid integer
function M.private(pid) return status_mb(pid, "RssAnon") end

M.MANIFEST = [[{"schema":"v1alpha","name":"%s","version":"1.0.0","api":"1","transport":"lua",
  "limits":%s,"commands":[{"name":"%s"}]}]]

return M
