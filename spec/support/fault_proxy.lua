-- A TCP proxy between two parts of a system, that a spec can make slow, deaf or broken. It is a program of
-- its own (fault_proxy.py): what it does to connections takes no time of the process that it stands before.

local process = require "host.process"

local M = {}
M.__index = M

---@param port integer of 127.0.0.1 that it stands before
---@return table proxy `port` is its own
function M.start(port)
  local self = setmetatable({}, M)
  self.process = assert(process.spawn {
    argv = { "python3", "spec/support/fault_proxy.py", tostring(port) }, stdin = "pipe",
    stderr = "inherit",
  })
  self.port = assert(tonumber((assert(self.process:read_line(60)))))
  return self
end

local function tell(self, command)
  assert(self.process:write(command .. "\n"))
  assert(self.process:read_line(60) == "ok", command)
end

---Everything passes as it comes, as at the start.
function M:pass() tell(self, "pass") end

---@param ms number by which each piece is late
function M:delay(ms) tell(self, "delay " .. ms) end

---@param bytes number a second, for each connection in each direction
function M:rate(bytes) tell(self, "rate " .. bytes) end

---Nothing passes and nothing is closed, until pass().
function M:blackhole() tell(self, "blackhole") end

---New connections are reset; those that are there go on.
function M:refuse() tell(self, "refuse") end

---Resets every connection that is there.
function M:reset() tell(self, "reset") end

---@param ... integer ports of 127.0.0.1 where new connections go from now on: in turn, those that can be reached
function M:to(...) tell(self, "to " .. table.concat({ ... }, " ")) end

function M:stop() self.process:close() end

return M
