-- parley plugin new: a plugin that works, from templates/.

local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local webhook = require "parley.plugins.webhook"

-- Folders of the data that a plugin is made of: what is its own first, then what others have, too.
local LUA = "templates/editor"
local TEMPLATES = {
  hello = { "templates/hello", LUA }, form = { "templates/form", LUA },
  api = { "templates/api", LUA }, llm = { "templates/llm", LUA },
  rest = { "templates/rest" },
  ["rest-python"] = { "templates/rest-python", "examples/rest-python" },
  ["rest-node"] = { "templates/rest-node", "examples/rest-node" },
}

-- Of an example the modules that are the same in every plugin.
local SHARED = {
  ["server.py"] = true, ["webhook.py"] = true, ["registration.py"] = true,
  ["server.mjs"] = true, ["webhook.mjs"] = true, ["registration.mjs"] = true,
}

-- What to do next: a command, and what it is for.
local NEXT_LUA = {
  { "parley plugin run PLUGIN", "talk to it; it is reloaded whenever you save DIR/main.lua" },
  { "parley plugin test PLUGIN", "run its specs" },
  { "parley reload", "take it up in the running host" },
}
local NEXT_REST = [[

%s/README.md says how to start it, and where the calls are described. Before a host of this home
starts or reloads, it needs the plugin's signing_secret, as it stands there.
]]

-- Commands that work as they are pasted, whatever the home is.
local function next_steps(o, shown, dir)
  local home = o.home ~= options.home.default and " --home " .. o.home or ""
  local commands, width = {}, 0
  for i, step in ipairs(NEXT_LUA) do
    commands[i] = step[1]:gsub("PLUGIN", shown) .. home
    width = math.max(width, #commands[i])
  end
  local out = { "" }
  for i, step in ipairs(NEXT_LUA) do
    local why = step[2]:gsub("DIR", dir)
    out[#out + 1] = ("  %s%s  # %s"):format(commands[i], (" "):rep(width - #commands[i]), why)
  end
  return table.concat(out, "\n") .. "\n"
end

-- The files of a folder and those below it.
local function files_of(dir, prefix, out)
  for _, name in ipairs(fs.list(dir)) do
    if fs.stat(dir .. "/" .. name).type == "directory" then
      files_of(dir .. "/" .. name, prefix .. name .. "/", out)
    else
      out[#out + 1] = prefix .. name
    end
  end
  return out
end

local function copy(from, to, file, name, values)
  local text, err = fs.read(from .. "/" .. file)
  if not text then return nil, err end
  text = text:gsub("%f[%u_][%u_]+%f[^%u_]", values)
  local path = to .. "/" .. file:gsub("NAME", name)
  local ok
  ok, err = fs.mkdir(path:match "^(.*)/")
  if not ok then return nil, err end
  return fs.write(path, text)
end

local function write(dir, template, name)
  local values = {
    NAME_SIGNING_SECRET = name:upper() .. "_SIGNING_SECRET", SECRET = webhook.new_secret(),
    NAME_API_KEY = name:upper() .. "_API_KEY", NAME = name,
  }
  for _, folder in ipairs(TEMPLATES[template]) do
    local from = fs.data_dir() .. "/" .. folder
    for _, file in ipairs(files_of(from, "", {})) do
      -- What is shared names nothing of the plugin, and is left as it is.
      local shared = folder:find "^examples" ~= nil
      if not shared or SHARED[file] then
        local ok, err = copy(from, dir, file, name, shared and {} or values)
        if not ok then return nil, err end
      end
    end
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
      name = "template", value = "TEMPLATE", default = "hello",
      check = options.one_of {
        "hello", "form", "api", "llm", "rest", "rest-python", "rest-node",
      },
      help = "hello, form, api, llm, rest, rest-python or rest-node",
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
  local ok, err = write(dir, o.template, name)
  if not ok then return exit.failed(err) end
  if o.output == "json" then
    output.json { name = name, path = dir }
  else
    io.stdout:write(dir, "\n")
  end
  local shown = o.dir and dir or name
  local is_rest = o.template:find "^rest" ~= nil
  io.stderr:write(is_rest and NEXT_REST:format(dir) or next_steps(o, shown, dir))
  return exit.DONE
end

return M
