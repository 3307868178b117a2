-- A server in Python for a spec: it prints its port, and ends when its standard input does.

local task = require "host.task"

local M = {}
M.__index = M

---@param script string path, and arguments
---@param env string|nil "NAME=value ..." for its environment
function M.start(script, env)
  local self = setmetatable({}, M)
  local ports = os.tmpname()
  self.input = assert(io.popen(("%s exec python3 %s > %s"):format(env or "", script, ports), "w"))
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
