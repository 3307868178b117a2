-- make.lua HOME N: N small plugins in a home, and one that runs away.

local figures = require "tools.bench.plugins.figures"
local fs = require "host.fs"
local json = require "host.json"

local home, n = ...

local function write(name, manifest, main)
  local dir = home .. "/plugins/" .. name
  assert(fs.mkdir(dir))
  assert(fs.write(dir .. "/manifest.json", manifest))
  assert(fs.write(dir .. "/main.lua", main))
end

local MAIN = [[
local p = parley.plugin()
p.on.command("%s", function(c, text)
  c.session.n = (c.session.n or 0) + 1
  c:reply("%s: " .. text)
end)
p.on.intent("%s.ask", function(c) c:reply "asked" end)
return p]]

for i = 1, tonumber(n) do
  local name = ("plugin%04d"):format(i)
  write(name, json.encode {
    schema = "v1alpha", name = name, version = "1.0.0", api = "1", transport = "lua",
    commands = { { name = name, description = "number " .. i } },
    intents = { { name = name .. ".ask", examples = { "ask plugin " .. i, "what about number " .. i } } },
  }, MAIN:format(name, name, name))
end

write("runaway", figures.MANIFEST:format("runaway", "{}", "runaway"), [[
local p = parley.plugin()
p.on.command("runaway", function(c, how)
  if how == "" then while true do end end
  c:reply "well"
end)
return p]])
