-- A sandbox as one writes it in an afternoon: dangerous libraries left out, a hook that counts instructions, pcall around
-- the call. It has the methods of host.sandbox's states, so that the catalogue can be held against it: an attack that it
-- withstands as well proves little.

local M = {}

require("jit").off() -- with it on, no hook ends a loop: each of those attacks would hang this process

local LEFT_OUT = { io = true, debug = true, package = true, ffi = true, jit = true, os = true }

local function environment()
  local env = {}
  for name, value in pairs(_G) do
    if not LEFT_OUT[name] then env[name] = value end
  end
  env._G, env.bit = env, require "bit"
  env.os = { time = os.time, date = os.date, clock = os.clock, difftime = os.difftime }
  env.null = require("host.json").null
  env.utf8 = { char = string.char, codes = string.gmatch, len = string.len, sub = string.sub, codepoint = string.byte }
  return env
end

local state = {}
state.__index = state

function M.new(options)
  local self = setmetatable({ env = environment(), slots = {}, limit = options.memory }, state)
  local env = self.env
  env.host = coroutine.yield
  env.export = function(name, f) self.slots[name] = f end
  env.require = function(name) return assert(self.slots["lib:" .. name], "no module")(name) end
  self.slots.seal = function() env.host, env.export = nil, nil end
  return self
end

function state:compile(slot, source, chunkname)
  local f, err = loadstring(source, chunkname)
  if not f then return nil, { code = "syntax", message = err } end
  self.slots[slot] = setfenv(f, self.env)
  return true
end

local call = {}
call.__index = call

local function outcome(self, ok, ...)
  debug.sethook(self.co)
  if not ok then
    local message = tostring((...))
    return "error", { code = message:match "^stopped: (.*)" or "exception", message = message, retryable = false, op = "naive" }
  end
  if coroutine.status(self.co) == "dead" then return "done", ... end
  return "door", self, ...
end

function call:answer(...)
  local before, made = os.clock(), collectgarbage "count"
  debug.sethook(self.co, function()
    if os.clock() - before > self.cpu then error("stopped: cpu_limit", 0) end
    if (collectgarbage "count" - made) * 1024 > self.limit then error("stopped: memory_limit", 0) end
  end, "", 1000)
  return outcome(self, coroutine.resume(self.co, ...))
end

function call.stop() end

function state:start(slot, cpu_ms, _, ...)
  if not self.slots[slot] then return "error", { code = "not_found", message = slot } end
  local c = setmetatable({ co = coroutine.create(self.slots[slot]), cpu = cpu_ms / 1000, limit = self.limit }, call)
  return c:answer(...)
end

function state:stats() return { memory = 0, peak = 0, limit = self.limit, broken = false } end

function state.close() end

return M
