-- The home folder of a host: what it holds, and the way to the host that runs on it.

local control = require "host.control"
local fs = require "host.fs"

local M = {}

local PRIVATE = tonumber("700", 8)
local TEMPLATES = { "parley.lua", "rules.lua", "triggers.lua" }

---Makes what is missing: the folders, and a configuration, rules and triggers to edit.
---@param home string
---@return boolean|nil ok
---@return table|nil err
function M.set_up(home)
  for _, dir in ipairs { "conf", "plugins", "data" } do
    local ok, err = fs.mkdir(home .. "/" .. dir, PRIVATE)
    if not ok then return nil, err end
  end
  for _, name in ipairs(TEMPLATES) do
    local path = home .. "/conf/" .. name
    if not fs.exists(path) then
      local text, err = fs.read(fs.data_dir() .. "/conf/" .. name)
      if not text then return nil, err end
      local ok
      ok, err = fs.write(path, text)
      if not ok then return nil, err end
    end
  end
  return true
end

---Asks the host that runs on a home.
---@param home string
---@param request table {cmd = "status"|"reload"|"stop", ...}
---@param seconds number
---@return any result
---@return table|nil err "not_running", or what the host answered
function M.ask(home, request, seconds)
  local reply, err = control.request(home .. "/run/control.sock", request, seconds)
  if not reply then
    if err.code ~= "not_found" and err.code ~= "connect" then return nil, err end
    return nil, {
      code = "not_running", retryable = true, op = "control",
      message = "no host runs on " .. home .. ": start it with parley serve --home " .. home,
    }
  end
  if not reply.ok then return nil, reply.error end
  return reply.result
end

return M
