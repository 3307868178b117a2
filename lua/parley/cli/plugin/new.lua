-- parley plugin new: a plugin that works, from templates/.

local cli = require "parley.cli.main"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local home = require "parley.cli.home"
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

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", dir = "value", kind = "value" })
  if not o then return cli.usage(problem) end
  local name, kind = o[1], o.kind or "lua"
  if not name or o[2] then return cli.usage "plugin new: one name is needed" end
  if not name:find "^%l[%l%d_]+$" or #name > 40 then
    return cli.usage("plugin new: '" .. name .. "' is no name for a plugin: 2 to 40 of a-z, 0-9 "
      .. "and _, a letter first")
  end
  if not FILES[kind] then return cli.usage "--kind: lua or rest expected" end
  local base = o.home or home.DEFAULT
  local parent = o.dir or base .. "/plugins"
  local dir = parent .. "/" .. name
  if fs.exists(dir) then return cli.usage(dir .. " is there already") end
  local other = find.all(base)[name]
  if other then return cli.usage("there is a plugin '" .. name .. "' already: " .. other) end
  local ok, err = write(dir, kind, name)
  if not ok then return cli.failed(err) end
  io.stdout:write(dir, "\n")
  local shown = o.dir and dir or name
  io.stderr:write((NEXT[kind]:format(kind == "lua" and shown or dir, dir, shown)))
  return 0
end
