-- A server in Python for a spec: it prints its port, and ends when its standard input does.

local task = require "host.task"

local M = {}
M.__index = M

---@param script string path
function M.start(script)
  local self = setmetatable({}, M)
  local ports = os.tmpname()
  self.input = assert(io.popen("exec python3 " .. script .. " > " .. ports, "w"))
  local text
  repeat
    task.sleep(0.02)
    local f = assert(io.open(ports))
    text = f:read "*a"
    f:close()
  until text:find "\n"
  os.remove(ports)
  self.port = tonumber(text:match "^(%d+)")
  return self
end

function M:stop() self.input:close() end

return M
