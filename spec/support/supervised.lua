-- A supervisor with a Lua file as its worker, for a spec.

local control = require "host.control"
local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local tcp = require "host.tcp"
local temporary = require "parley.util.temporary"

local M = {}

local here = "spec/process/"
local hosts = {}

local function slurp(path) return fs.read(path) or "" end

local Host = {}
Host.__index = Host

---Starts a supervisor with the fixture as its worker. Does not wait.
---@param options table|nil of host.worker's supervise
---@param home string|nil default: an empty one
function M.launch(options, home)
  home = home or assert(temporary.folder())
  local o = {
    home = home,
    listen = { public = "127.0.0.1:0" },
    argv_for_worker = { "--worker-script", here .. "worker_fixture.lua" },
    env = { SPEC_HOME = home, SPEC_EXTRA = "extra" },
    hang_ms = 20000, -- who wants one to be taken for hung has less patience
    ready_message = "listening on {public}.\n",
  }
  for k, v in pairs(options or {}) do o[k] = v end
  local host = setmetatable({ home = home, files = home .. "/" .. crypto.hex(crypto.random(4)) }, Host)
  host.process = assert(process.spawn {
    argv = { programs.EXE, "busted", here .. "launch.lua" }, env = { SPEC_OPTIONS = json.encode(o) },
    stdout = host.files .. ".out", stderr = host.files .. ".err",
  })
  host.pid = host.process:pid()
  hosts[#hosts + 1] = host
  return host
end

---The same, and waits until it listens.
function M.start(options, home)
  local host = M.launch(options, home)
  host.port = tonumber(programs.eventually("ready: " .. host:err(), function()
    return slurp(host.files .. ".out"):match("listening on 127%.0%.0%.1:(%d+)%.\n")
  end))
  return host
end

function Host:err() return slurp(self.files .. ".err") end
function Host:signal(name) self.process:kill(name) end
-- The exit code, or the name of the signal that has ended it.
function Host:exit_code()
  local r = assert(self.process:wait(30))
  return r.code or r.signal
end
function Host:ask(request, seconds) return control.request(self.home .. "/run/control.sock", request, seconds) end
function Host:status() return assert(self:ask({ cmd = "status" })).result end

--- The body of the answer | nil, what went wrong
function Host:get(path, seconds)
  local c, err = tcp.connect("127.0.0.1", self.port, 30)
  if not c then return nil, "connect: " .. err.code end
  c:write("GET /" .. path .. " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
  local text = c:read(nil, seconds or 30) or ""
  c:close()
  local body = text:match("^HTTP/1.1 200.*\r\n\r\n(.*)\n")
  if not body then return nil, text end
  return body
end

---Ends all that were started, however they are, and takes their homes away.
function M.end_all()
  local ended = hosts
  hosts = {}
  for _, host in ipairs(ended) do
    host:signal "KILL"
    assert(host.process:wait(30))
  end
  for _, host in ipairs(ended) do temporary.remove(host.home) end
end

return M
