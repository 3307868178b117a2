-- The library of a sandbox beside LuaJIT's own, which runs in the core with its compiler off: the
-- same source, in turns. The best of many short rounds: what others do on the machine only adds.

local fs = require "host.fs"
local sandbox = require "host.sandbox"
local time = require "host.time"

local source = assert(fs.read "tools/bench/library_cases.lua")
local stock = assert(loadstring(source, "=cases"))
jit.off(stock, true)
collectgarbage("setpause", 110) -- as in a sandbox

local sb = assert(sandbox.new {
  name = "bench", memory = 64 * 2 ^ 20, prelude = require("parley.engine.prelude").text(),
})
assert(sb:compile("cases", source, "=cases"))

local function ours(name, n)
  local kind, err = sb:start("cases", 0, 60, name, n)
  assert(kind == "done", kind == "error" and err.message)
end

local function seconds(f, name, n)
  local since = time.mono()
  f(name, n)
  return time.mono() - since
end

print(("%-28s %12s %12s %8s"):format("", "LuaJIT, ns", "Parley, ns", "ratio"))
for _, name in ipairs(stock()) do
  local n = 10
  while seconds(stock, name, n) < 0.0005 do n = n * 2 end
  local a, b = math.huge, math.huge
  for _ = 1, 60 do
    a = math.min(a, seconds(stock, name, n) / n * 1e9)
    b = math.min(b, seconds(ours, name, n) / n * 1e9)
  end
  print(("%-28s %12.0f %12.0f %8.2f"):format(name, a, b, b / a))
end
