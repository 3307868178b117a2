-- make.lua HOME N [RUNAWAYS [RING]]: N small plugins in a home, and some that run away (default: one), in a ring.

local figures = require "tools.bench.plugins.figures"
local fs = require "host.fs"
local json = require "host.json"

local home, n, runaways, ring = ...

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

local RUNAWAY = [[
local p = parley.plugin()
p.on.command("%s", function(c, how)
  local kept = {}
  while how == "" do end
  while how == "fill" do kept[#kept + 1] = { #kept } end
  c:reply "well"
end)
return p]]

local settings = {}
for i = 1, tonumber(runaways or 1) do
  local name = "runaway" .. i
  write(name, figures.MANIFEST:format(name, "{}", name), RUNAWAY:format(name))
  settings[i] = ("%s = { ring = %q }"):format(name, ring or "trusted")
end
assert(fs.mkdir(home .. "/conf"))
assert(fs.write(home .. "/conf/parley.lua", ("return { plugins = { %s } }\n"):format(table.concat(settings, ", "))))
