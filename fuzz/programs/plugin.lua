-- The plugin around random programs: its handlers call what a program has put into `shared`.

local shared = require "shared"
require "probe" -- it looks at the sandbox before any program has run

local p = parley.plugin()

local function handler(name)
  return function(c, ...)
    shared.c = c
    local f = shared[name]
    if f then return f(c, ...) end
    c:reply(name)
  end
end

p.on.command("go", handler "command")
p.on.callback("*", handler "any")
p.on.text("^hello", handler "text")
p.on.any(handler "any")
p.on.error(function(c, err)
  if shared.error then return shared.error(c, err) end
  c:reply "sorry"
end)
return p
