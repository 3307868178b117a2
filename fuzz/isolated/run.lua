-- The fuzzer of programs, in confined processes: what ends LuaJIT itself may end such a process, and
-- nothing else.

local rig = require "fuzz.programs.rig"
local search = require "fuzz.lib.search"

return search.run(function(options)
  options.ring = "isolated"
  return rig.new(options)
end, ...)
