-- A server in Python, or in Node (.mjs), for a spec: it prints its port. It ends with stop(), or with
-- this process.

local process = require "host.process"

local M = {}
M.__index = M

---@param script string path, and arguments, with spaces between
---@param env table<string, string>|nil
function M.start(script, env)
  local argv = { script:find "^%S+%.mjs" and "node" or "python3" }
  for word in script:gmatch "%S+" do argv[#argv + 1] = word end
  local self = setmetatable({}, M)
  self.process = assert(process.spawn { argv = argv, env = env, stderr = "inherit" })
  local line = assert(self.process:read_line(60))
  self.port = assert(tonumber(line:match "^%d+"), line)
  return self
end

function M:stop() self.process:close() end

return M
