-- The servers of the public API, plain and over TLS, as one.

local M = {}
M.__index = M

function M.new() return setmetatable({}, M) end

---@param server table of host.http_server
function M:add(server) self[#self + 1] = server end

---What they have counted together: the fields of a server's statistics.
---@return table<string, number>
function M:stats()
  local sum = { busy = 0 }
  for _, server in ipairs(self) do
    for name, n in pairs(server:stats()) do sum[name] = (sum[name] or 0) + n end
  end
  return sum
end

---Takes nothing new; what runs is answered.
function M:drain()
  for _, server in ipairs(self) do server:drain() end
end

function M:close()
  for i = #self, 1, -1 do
    self[i]:close()
    self[i] = nil
  end
end

return M
