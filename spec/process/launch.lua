-- Becomes the supervisor with the options in SPEC_OPTIONS: `parley busted` is the one command that
-- runs a Lua file of ours.

local json = require "host.json"
local _, err = require("host.worker").supervise(assert(json.decode(os.getenv("SPEC_OPTIONS"))))
io.stderr:write(err.message, "\n")
os.exit(99)
