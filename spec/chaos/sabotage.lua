-- Hosts that are broken on purpose, to see that spec/support/checker.lua notices: `parley lua` runs this file in
-- the place of `parley serve`. It starts a supervisor whose workers run sabotaged_worker.lua. Nothing in the
-- product knows of it, and no setting reaches it.

local options = require "parley.cli.options"
local worker = require "host.worker"

local supervise = worker.supervise
worker.supervise = function(o) -- luacheck: ignore
  o.argv_for_worker[1] = "spec/chaos/sabotaged_worker.lua"
  table.insert(o.argv_for_worker, 1, "--worker-script")
  return supervise(o)
end

local serve = require "parley.cli.serve"
return serve.run(assert(options.parse(serve, { ... })))
