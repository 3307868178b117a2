-- A worker for supervisor_spec.lua: answers on the public listener, and misbehaves when told to.

local ffi = require "ffi"
local http = require "host.http_server"
local task = require "host.task"
local worker = require "host.worker"

ffi.cdef "int getpid(void); int kill(int pid, int sig); void abort(void);"

local home = os.getenv("SPEC_HOME")
local shelf = assert(require("host.shelf").open "spec")
local function flag(name)
  local f = io.open(home .. "/" .. name)
  if f then f:close() end
  return f ~= nil
end

if flag("refuse_to_start") then return worker.exit(78) end
if flag("crash_at_start") then ffi.C.kill(ffi.C.getpid(), 9) end

local routes = {}

function routes.pid() return tostring(tonumber(ffi.C.getpid())) end
function routes.slow() task.sleep(0.4) return "slow is done" end
function routes.very_slow() task.sleep(30) return "never" end
function routes.crash() worker.running("crasher") ffi.C.kill(ffi.C.getpid(), 9) end
function routes.suspect_now() worker.running("crasher") return routes.suspect() end
function routes.segv() worker.running("crasher") return ffi.cast("int *", 8)[0] end
function routes.segv_of_mine() return ffi.cast("int *", 8)[0] end
function routes.abort() worker.running("crasher") ffi.C.abort() end
function routes.hang() worker.running("looper") while true do ffi.C.getpid() end end
function routes.suspect()
  local s = worker.suspect()
  return s and ("%s %s"):format(s.plugin, tostring(s.signal)) or "nobody"
end
function routes.publish() return tostring(worker.publish("worker " .. worker.index .. ": " .. routes.pid())) end
function routes.publish_much() return select(2, worker.publish(("x"):rep(2 ^ 20 + 1))).code end
function routes.published()
  local out = {}
  for i = 0, worker.count do out[#out + 1] = tostring(worker.published(i)) end
  return table.concat(out, ", ")
end
function routes.put() return tostring(shelf:put("key", worker.index)) end
function routes.get() return tostring((shelf:get "key")) end
function routes.environment()
  return ("%s %s"):format(os.getenv("SPEC_EXTRA"), os.getenv("PARLEY_WORKER"))
end

local server = assert(http.listen({ fd = worker.listeners().public }, function(req, _, path)
  local route = routes[path:sub(2)]
  if not route then return req:respond(404, "", "no such route\n") end
  req:respond(200, "", route() .. "\n")
end))

worker.on("status", function() return { index = worker.index, count = worker.count } end)
local looks = 0
worker.on("look", function() looks = looks + 1 end)
worker.on("looks", function() return { index = worker.index, looks = looks } end)
worker.on("nudge", function() worker.nudge() return {} end)
worker.on("reload", function(request)
  task.sleep(0.01)
  if flag("broken") then return nil, { code = "config", message = "conf.lua:7: expected a number" } end
  if flag("raises") then error("out of luck") end
  return { reloaded = true, cmd = request.cmd }
end)
worker.on("echo", function(request) return request end)
worker.on("unspeakable", function() return function() end end)
worker.on("drain", function()
  server:drain()
  while server:stats().busy > 0 do task.sleep(0.01) end
end)
worker.ready()
