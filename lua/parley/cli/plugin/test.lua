-- parley plugin test: the specs of a plugin, inside the host, with parley.testkit.

local cli = require "parley.cli.main"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local home = require "parley.cli.home"

-- What is not ours goes to busted.
local function split(args)
  local base, given, rest, i = home.DEFAULT, nil, {}, 1
  while i <= #args do
    if args[i] == "--home" then
      base, i = args[i + 1] or base, i + 1
    elseif not given and args[i]:sub(1, 1) ~= "-" then
      given = args[i]
    else
      rest[#rest + 1] = args[i]
    end
    i = i + 1
  end
  return base, given, rest
end

return function(...)
  local base, given, rest = split { ... }
  if not given then return cli.usage "plugin test: a name or a path is needed" end
  local dir, err = find.one(base, given)
  if not dir then return cli.failed(err) end
  if not fs.exists(dir .. "/spec") then
    io.stderr:write("parley: ", dir, " has no spec/: nothing was tested\n")
    return 1
  end
  return require "parley.cli.busted"(dir .. "/spec", unpack(rest))
end
