-- Says what it reads from its standard input, each line as JSON; `parley busted` is the one command
-- that runs a Lua file of ours. SPEC_TIMEOUT is of each read.

local json = require "host.json"
local stdin = require "host.stdin"
local task = require "host.task"

local timeout = tonumber(os.getenv "SPEC_TIMEOUT" or 5)
local ticks = 0
task.spawn(function()
  while true do
    task.sleep(0.005)
    ticks = ticks + 1
  end
end)
local line, err
repeat
  line, err = stdin.read_line(timeout)
  io.write(json.encode(line or err.code), "\n")
  io.flush()
until not line and err.code ~= "timeout"
io.write("end ", ticks > 0 and "others ran" or "nobody else ran", "\n")
io.flush()
