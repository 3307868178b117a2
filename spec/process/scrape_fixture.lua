-- A worker for scrape_spec.lua: it counts what it is asked, and shows the metrics of the whole host.

local exposition = require "parley.ops.exposition"
local ffi = require "ffi"
local http = require "host.http_server"
local metrics = require "parley.ops.metrics"
local scrape = require "parley.ops.scrape"
local worker = require "host.worker"

ffi.cdef "int getpid(void); int kill(int pid, int sig);"

local registry = metrics.new()
local asked = registry:counter("asked_total", "Requests.", { "route" })
local seconds = registry:histogram("asked_seconds", "Their time.", nil, { 1 })
registry:gauge("workers", "Workers."):set(1)
registry:gauge("index", "The largest index.", nil, { merge = "max" }):set(worker.index)
registry:counter("starts_total", "Starts."):inc()

local host = scrape.new(registry)
local routes = {
  count = function() seconds:observe(0.5) return tostring(worker.index) end,
  metrics = function() return exposition.render(host:snapshot()) end,
  crash = function() ffi.C.kill(ffi.C.getpid(), 9) end,
  stop = function() ffi.C.kill(ffi.C.getpid(), 19) end,
}

local server = assert(http.listen({ fd = worker.listeners().public }, function(req, _, path)
  asked:with(path:sub(2)):inc()
  req:respond(200, "", routes[path:sub(2)]() .. "\n")
end))
worker.on("drain", function()
  server:drain()
  host:publish()
end)
worker.on("status", function() return {} end)
host:begin()
worker.ready()
