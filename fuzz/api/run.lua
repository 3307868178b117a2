-- The fuzzer of requests to the HTTP API.

local rig = require "fuzz.api.rig"
local search = require "fuzz.lib.search"

return search.run(rig.new, ...)
