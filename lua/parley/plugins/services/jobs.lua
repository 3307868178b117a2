-- jobs.list: what the plugin has scheduled in this dialog under an id.

local gate = require "parley.plugins.gate"
local json = require "host.json"
local recurring = require "parley.turn.recurring"

gate.register("jobs.list", {
  permission = "jobs",
  run = function(invocation)
    local rows, err =
      recurring.list(invocation.db, invocation.dialog_id, invocation.manifest.name)
    if not rows then return nil, err end
    local out = json.array()
    for i, row in ipairs(rows) do
      out[i] = {
        id = row.name, job = row.job, data = row.data and json.decode(row.data),
        at = row.run_at / 1000, every = row.every_ms and row.every_ms / 1000,
      }
    end
    return out
  end,
})
