-- parley lua FILE ARGS: runs a Lua file as a task of the trusted core, with every host.* module:
-- benchmarks, experiments, one-off repairs.

local cli = require "parley.cli.main"

return function(file, ...)
  if not file or file == "--help" or file == "-h" then
    io[file and "stdout" or "stderr"]:write "usage: parley lua FILE [ARGUMENTS]\n"
    return file and 0 or 64
  end
  local chunk, problem = loadfile(file)
  if not chunk then return cli.usage(problem) end
  return chunk(...)
end
