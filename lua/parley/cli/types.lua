-- parley types: the definitions that editors read, as this version has them.

local exit = require "parley.cli.exit"
local fs = require "host.fs"
local markdown = require "parley.reference.markdown"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Writes definitions of `parley`, the context and the test kit for editors with a Lua language server:
types/*.lua, and .luarc.json where there is none. parley plugin new has done so; this brings them up
to the version that is installed. With --markdown it writes nothing, and prints the API reference
that is made of them.]],
  arguments = { { name = "FOLDER", help = "of the plugin (default: this one)" } },
  options = {
    { name = "markdown", help = "print the API reference of this version" },
    options.output,
  },
}

local SETTINGS = ".luarc.json"

-- Settings may be the author's own by now; definitions are not.
local function write(from, to)
  local written = {}
  local function copy(file)
    local text, err = fs.read(from .. "/" .. file)
    if not text then return nil, err end
    local ok
    ok, err = fs.write(to .. "/" .. file, text)
    if not ok then return nil, err end
    written[#written + 1] = to .. "/" .. file
    return true
  end
  local ok, err = fs.mkdir(to .. "/types")
  if not ok then return nil, err end
  for _, name in ipairs(fs.list(from .. "/types")) do
    ok, err = copy("types/" .. name)
    if not ok then return nil, err end
  end
  if not fs.exists(to .. "/" .. SETTINGS) then
    ok, err = copy(SETTINGS)
    if not ok then return nil, err end
  end
  return written
end

function M.run(o)
  if o.markdown then
    io.stdout:write(markdown.page())
    return exit.DONE
  end
  local dir = o[1] or "."
  local st = fs.stat(dir)
  if not st or st.type ~= "directory" then return exit.usage(dir .. " is no folder") end
  local written, err = write(fs.data_dir() .. "/templates/editor", dir)
  if not written then return exit.failed(err) end
  if o.output == "json" then return output.json(written) end
  for _, path in ipairs(written) do io.stdout:write(path, "\n") end
  return exit.DONE
end

return M
