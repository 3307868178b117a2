-- parley plugin pack: a plugin as one file.

local archive = require "parley.plugins.archive"
local bundle = require "parley.plugins.bundle"
local check = require "parley.cli.plugin.check"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local lint = require "parley.plugins.lint"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Makes one file of a plugin that parley plugin check finds nothing wrong with, to be sent and given
to parley plugin deploy. The same plugin makes the same file.]],
  arguments = {
    { name = "PLUGIN", help = "a name, or the path of a folder", needed = true },
  },
  options = {
    {
      name = "to", value = "FILE",
      help = "instead of NAME-VERSION" .. archive.SUFFIX .. " in this folder",
    },
    options.home, options.output,
  },
}

-- Errors refuse it; warnings are said.
local function is_good(dir)
  local good = true
  for _, p in ipairs(check.problems(dir)) do
    io.stderr:write(lint.line(p))
    good = good and p.severity ~= "error"
  end
  return good
end

function M.run(o)
  local dir, err = find.one(o.home, o[1])
  if not dir then return exit.failed(err) end
  if not is_good(dir) then return exit.CONFIG end
  local b
  b, err = bundle.read(dir)
  if not b then return exit.failed(err) end
  local path = o.to or ("%s-%s%s"):format(b.manifest.name, b.manifest.version, archive.SUFFIX)
  local ok
  ok, err = fs.write(path, archive.pack(b))
  if not ok then return exit.failed(err) end
  if o.output == "json" then
    output.json {
      path = path, name = b.manifest.name, version = b.manifest.version, hash = b.hash,
    }
  else
    io.stdout:write(path, "\n")
    local home = o.home ~= options.home.default and " --home " .. o.home or ""
    local deploy = ("parley plugin deploy %s%s"):format(path, home)
    io.stderr:write("\n  ", deploy, "  # put it in service in the running host\n")
  end
  return exit.DONE
end

return M
