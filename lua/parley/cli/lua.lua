-- parley lua FILE ARGS: runs a Lua file as a task of the trusted core, with every host.* module:
-- benchmarks, experiments, one-off repairs.

local exit = require "parley.cli.exit"

local M = {
  about = [[
Runs a Lua file as a task of the host, with every host.* module. Its result is the exit code.]],
  arguments = { { name = "FILE", needed = true } }, rest = "ARGUMENTS",
}

function M.run(o)
  local chunk, problem = loadfile(o[1])
  if not chunk then return exit.usage(problem) end
  return chunk(unpack(o.rest))
end

return M
