-- A PostgreSQL of the spec's own, to be killed and stopped: what tools/with-postgres starts, which goes with this
-- process however it ends.

local fs = require "host.fs"
local process = require "host.process"
local programs = require "spec.support.process"

local M = {}
M.__index = M

-- Says what it has been given, and waits for the end of its stdin. The shell around it takes the signal that ends
-- what a spec has started, so that tools/with-postgres can clean up.
local HOLD = [[tools/with-postgres sh -c '
printf "%s\n" "$PARLEY_POSTGRES_DIR" "$PARLEY_DATABASE_URL" "$PARLEY_DATABASE_TCP_URL"; cat'; exit]]

---@return table server {dir, url (unix socket), tcp_url (loopback, with a password)}
function M.start()
  local self = setmetatable({}, M)
  self.holder = assert(process.spawn { argv = { "sh", "-c", HOLD }, stdin = "pipe", stderr = "inherit" })
  for _, name in ipairs { "dir", "url", "tcp_url" } do self[name] = assert(self.holder:read_line(60)) end
  return self
end

local function pids(self)
  local pid = tonumber((fs.read(self.dir .. "/data/postmaster.pid") or ""):match "^%d+")
  return pid and programs.family(pid) or {}
end

---Ends all of its processes at once, as a crash does: what they had in memory is gone, what they had written is
---not.
function M:kill()
  local all = pids(self)
  programs.kill(all, "KILL")
  programs.eventually("the end of PostgreSQL", function()
    for _, pid in ipairs(all) do
      if programs.alive(pid) then return false end
    end
    return true
  end)
end

---Starts it once more, at the same address, after a kill. It takes connections when this returns. One that runs is
---left alone.
function M:again()
  local pid = pids(self)[1]
  if pid and programs.alive(pid) then return end
  local r = programs.run({ self.dir .. "/start" }, { stdout = "null", stderr = "null" })
  assert(r.code == 0, self.dir .. "/start failed")
end

---All of its processes stay there and say nothing, until resume.
function M:pause()
  programs.kill({ pids(self)[1] }, "STOP") -- whoever comes now starts no other one
  local known
  repeat
    known = self.paused and #self.paused
    self.paused = pids(self)
    programs.kill(self.paused, "STOP")
  until #self.paused == known
end

function M:resume()
  if self.paused then programs.kill(self.paused, "CONT") end
  self.paused = nil
end

---Ends it, and takes its data away.
function M:stop()
  self:resume()
  self.holder:close_stdin()
  assert(self.holder:wait(60))
end

return M
