-- tools/bench/reload --saves N: what an author waits for in `parley plugin run`, from a save of main.lua to an answer by
-- the new code.

package.path = "./?.lua;" .. package.path
local fs = require "host.fs"
local process = require "host.process"
local task = require "host.task"
local temporary = require "parley.util.temporary"
local time = require "host.time"

local n = tonumber((...))
local EXE, SECONDS = fs.realpath "/proc/self/exe", 30
local home = assert(temporary.folder())
local made = assert(process.spawn { argv = { EXE, "plugin", "new", "mine", "--home", home }, stderr = "stdout" })
assert(made:wait(SECONDS).code == 0)

local MAIN = [[
local p = parley.plugin()
p.on.command("mine", function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply("version %d, message " .. c.session.n)
end)
return p
]]
local file = home .. "/plugins/mine/main.lua"
assert(fs.write(file, MAIN:format(0)))

local p = assert(process.spawn {
  argv = { EXE, "plugin", "run", "mine", "--home", home }, stdin = "pipe",
  env = { LC_ALL = "C" },
})
local function say(text)
  assert(p:write(text .. "\n"))
  return assert(p:read_line(SECONDS))
end
local function until_told(pattern)
  repeat local line = assert(p:read_err_line(SECONDS)) until line:find(pattern)
end
assert(say "/mine" == "version 0, message 1")
local told, answered = {}, {}
for i = 1, n do
  task.sleep(0.3) -- an author reads what it says
  local since = time.mono()
  assert(fs.write(file, MAIN:format(i)))
  until_told "is reloaded"
  told[i] = 1000 * (time.mono() - since)
  local line = say "/mine"
  answered[i] = 1000 * (time.mono() - since)
  assert(line == ("version %d, message %d"):format(i, i + 1), line)
end
p:kill "KILL"
p:wait(SECONDS)
temporary.remove(home)

local function row(what, list)
  table.sort(list)
  print(("%-46s %.0f ms, %.0f ms, %.0f ms"):format(what, list[math.ceil(#list / 2)],
    list[math.ceil(0.95 * #list)], list[#list]))
end
row("save to 'reloaded', p50, p95 and slowest", told)
row("save to new code, p50, p95 and slowest", answered)
