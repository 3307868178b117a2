-- A Redis server of the spec's own: empty, on a free port, with a password, gone with the process.

local crypto = require "host.crypto"
local fs = require "host.fs"
local http_server = require "host.http_server"
local process = require "host.process"
local tcp = require "host.tcp"
local temporary = require "parley.util.temporary"
local wait = require("spec.support.process").eventually

local M = {}
M.__index = M

local PASSWORD = "p@ss:w/rd"
local ESCAPED = "p%40ss:w%2Frd"

-- Below the ports that the kernel gives to clients: one of those could take it while the server is away.
local function free_port()
  while true do
    local a, b = crypto.random(2):byte(1, 2)
    local port = 16384 + (a * 256 + b) % 16384
    local server = http_server.listen({ host = "127.0.0.1", port = port }, function() end)
    if server then
      server:close()
      return port
    end
  end
end

-- Does it answer? "-NOAUTH" is an answer, too; "-LOADING" is not.
local function answers(port)
  local c = tcp.connect("127.0.0.1", port, 1)
  if not c then return false end
  c:write "PING\r\n"
  local line = c:read("\r\n", 1)
  c:close()
  return line and (line:find "NOAUTH" or line:find "PONG") and true
end

---Starts a server; its data goes with tools/test's TMPDIR.
---@param opts {argv: string[]|nil}|nil argv: more arguments for redis-server
---@return table server {port, url, socket_url, dir, pid}
function M.start(opts)
  local self = setmetatable({ dir = assert(temporary.folder()), port = free_port() }, M)
  self.more = opts and opts.argv or {}
  self.url = ("redis://:%s@127.0.0.1:%d"):format(ESCAPED, self.port)
  self.socket_url = ("redis+unix://:%s@%s/socket"):format(ESCAPED, self.dir)
  self:again()
  return self
end

---Starts it once more, on the same port, after stop or kill.
function M:again()
  local argv = {
    "redis-server", "--bind", "127.0.0.1", "--port", tostring(self.port), "--dir", self.dir,
    "--unixsocket", self.dir .. "/socket", "--requirepass", PASSWORD, "--save", "",
    "--logfile", self.dir .. "/log", unpack(self.more),
  }
  self.process = assert(process.spawn { argv = argv })
  self.pid = self.process:pid()
  wait("redis-server answers (" .. self.dir .. "/log)", function()
    if self.process:wait(0.001) then error(fs.read(self.dir .. "/log") or "it does not start") end
    return answers(self.port)
  end)
end

local function finish(self, signal)
  self.process:kill(signal)
  assert(self.process:wait(60))
end

---Ends it at once, as a crash does.
function M:kill() finish(self, "KILL") end

---Ends it as an operator does. Harmless when it has ended.
function M:stop()
  self.process:kill "CONT"
  finish(self, "TERM")
end

---It stays there and says nothing, until resume.
function M:pause() self.process:kill "STOP" end

function M:resume() self.process:kill "CONT" end

return M
