-- The fuzzer of what plugins hand to the door.

local rig = require "fuzz.door.rig"
local search = require "fuzz.lib.search"

return search.run(rig.new, ...)
