-- The servers of the public API, plain and over TLS, as one.

local M = {}
M.__index = M

---@param inlet table of parley.channels.telegram, where servers send what fits
function M.new(inlet) return setmetatable({ inlet = inlet }, M) end

---@param server table of host.http_server
function M:add(server)
  self[#self + 1] = server
  self.inlet:serve(server)
end

local function add(sum, stats)
  for name, n in pairs(stats) do sum[name] = (sum[name] or 0) + n end
end

---What they have counted together: the fields of a server's statistics.
---@return table<string, number>
function M:stats()
  local sum = { busy = 0 }
  for _, server in ipairs(self) do add(sum, server:stats()) end
  local there = self.inlet:http_stats()
  if there then add(sum, there) end
  return sum
end

---Takes nothing new; what runs is answered.
function M:drain()
  for _, server in ipairs(self) do server:drain() end
  self.inlet:drain()
end

function M:close()
  for i = #self, 1, -1 do
    self[i]:close()
    self[i] = nil
  end
end

return M
