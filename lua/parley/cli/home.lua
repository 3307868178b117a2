-- The home folder of a host: what it holds, and the way to the host that runs on it.

local control = require "host.control"
local fs = require "host.fs"
local task = require "host.task"
local time = require "host.time"

local M = {}

local PRIVATE = tonumber("700", 8)
local RELOAD_S = 90 -- the host itself gives up after 60
local BUSY_S = 0.05 -- between looks at a reload that runs
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

---Has every worker of the host reload. While another reload runs, that of a file that was just
---saved, say, this one waits: it is to take up what is on the disk now.
---@param home string
---@param more table|nil of the request
---@return table|nil result of the first worker
---@return table|nil err
function M.reload(home, more)
  local request, deadline = { cmd = "reload" }, time.mono() + RELOAD_S
  for key, value in pairs(more or {}) do request[key] = value end
  while true do
    local result, err = M.ask(home, request, RELOAD_S)
    if result or err.code ~= "busy" or time.mono() > deadline then return result, err end
    task.sleep(BUSY_S)
  end
end

return M
