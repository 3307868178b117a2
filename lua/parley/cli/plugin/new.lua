-- parley plugin new: a plugin that works, from templates/.

local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local webhook = require "parley.plugins.webhook"

local FILES = {
  lua = {
    "manifest.json", "main.lua", "locales/en.json", "spec/NAME_spec.lua", "README.md",
    ".luarc.json", "types/context.lua", "types/parley.lua", "types/sandbox.lua",
    "types/services.lua", "types/testkit.lua",
  },
  rest = { "manifest.json", "README.md" },
}

local NEXT = {
  lua = [[

  parley plugin run %s     # talk to it; edit %s/main.lua meanwhile
  parley plugin test %s    # run its specs
  parley reload              # take it up in the running host
]],
  rest = [[

%s/README.md says how to set the secret and where the calls are described.
]],
}

local function write(dir, kind, name)
  local values = {
    NAME_SIGNING_SECRET = name:upper() .. "_SIGNING_SECRET", SECRET = webhook.new_secret(),
    NAME = name,
  }
  for _, file in ipairs(FILES[kind]) do
    local text, err = fs.read(fs.data_dir() .. "/templates/" .. kind .. "/" .. file)
    if not text then return nil, err end
    text = text:gsub("%f[%u_][%u_]+%f[^%u_]", values)
    local path = dir .. "/" .. file:gsub("NAME", name)
    local ok
    ok, err = fs.mkdir(path:match "^(.*)/")
    if ok then ok, err = fs.write(path, text) end
    if not ok then return nil, err end
  end
  return true
end

local M = {
  about = "Makes a plugin that works, to begin from.",
  arguments = {
    { name = "NAME", help = "2 to 40 of a-z, 0-9 and _, a letter first", needed = true },
  },
  options = {
    {
      name = "kind", value = "KIND", default = "lua", check = options.one_of { "lua", "rest" },
      help = "lua, in the sandbox, or rest, a server of yours",
    },
    { name = "dir", value = "PARENT", help = "the folder to make it in, instead of DIR/plugins" },
    options.home, options.output,
  },
}

function M.run(o)
  local name = o[1]
  if not name:find "^%l[%l%d_]+$" or #name > 40 then
    return exit.usage(("plugin new: '%s' is no name for a plugin: %s"):format(name,
      M.arguments[1].help))
  end
  local dir = (o.dir or o.home .. "/plugins") .. "/" .. name
  if fs.exists(dir) then return exit.usage(dir .. " is there already") end
  local other = find.all(o.home)[name]
  if other then return exit.usage("there is a plugin '" .. name .. "' already: " .. other) end
  local ok, err = write(dir, o.kind, name)
  if not ok then return exit.failed(err) end
  if o.output == "json" then
    output.json { name = name, path = dir }
  else
    io.stdout:write(dir, "\n")
  end
  local shown = o.dir and dir or name
  io.stderr:write((NEXT[o.kind]:format(o.kind == "lua" and shown or dir, dir, shown)))
  return exit.DONE
end

return M
