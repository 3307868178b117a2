-- Sandboxes that are weak on purpose: constructors, by name. What the catalogue proves, it proves because these fail it.

local sandbox = require "host.sandbox"

-- The engine as it is, around the stock environment: no allow-list, nothing frozen, pcall and patterns of LuaJIT.
local STOCK = [[
local raw = ...
local env = {}
for name, value in raw.next, raw do env[name] = value end
env._G, env.host, env.coroutine = env, raw.door, {
  create = raw.co_create, resume = raw.co_resume, yield = raw.co_yield, status = raw.co_status, running = raw.co_running,
  wrap = function(f)
    local co = raw.co_create(f)
    return function(...) return raw.select(2, raw.co_resume(co, ...)) end
  end,
}
env.utf8 = { char = raw.string.char, codes = raw.string.gmatch, len = raw.string.len }
env.require = function(name) return raw.slot("lib:" .. name)(name) end
raw.export("seal", function() env.host, env.export, env.raw = nil, nil, nil end)
return env
]]

return {
  naive = require("spec.sandbox.naive").new,
  stock = function(options)
    return sandbox.new { name = options.name, memory = options.memory, prelude = STOCK }
  end,
}
