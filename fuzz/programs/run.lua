-- The fuzzer of programs.

local rig = require "fuzz.programs.rig"
local search = require "fuzz.lib.search"

return search.run(rig.new, ...)
