-- parley plugin deployments: what is on trial, how it goes, and how it went.

local exit = require "parley.cli.exit"
local order = require "parley.cli.plugin.order"
local output = require "parley.cli.output"

local M = {
  about = [[
Shows the new versions of plugins that are on trial, with their calls so far beside those of the
version before; of one plugin, its last deployments, the newest first.]],
  arguments = { { name = "PLUGIN", help = "its name (default: all that are on trial)" } },
  options = order.options {},
}

local function side(counts)
  if not counts then return "-", "-" end
  local failed = counts.calls > 0 and 100 * counts.errors / counts.calls or 0
  return ("%d (%.1f %%)"):format(counts.calls, failed),
    counts.p95_ms and ("%.3g ms"):format(counts.p95_ms) or "-"
end

local function row_of(d)
  local counts = d.counts or {}
  local calls, p95 = side(counts.canary)
  local calls_before, p95_before = side(counts.stable)
  local state = d.state
  if state == "running" then
    state = d.undecided_at and "for you to decide" or "until " .. d.window_ends_at
  end
  return {
    d.plugin_id, tostring(d.number), d.canary.version, ("%g %%"):format(d.share_percent), calls,
    calls_before, p95, p95_before, state, d.reason,
  }
end

function M.run(o)
  local r, code = order.send(o, "deployments")
  if not r then return code end
  if o.output == "json" then return output.json(r) end
  local rows = {}
  for i, d in ipairs(r) do rows[i] = row_of(d) end
  output.table({
    "PLUGIN", "NO", "VERSION", "SHARE", "CALLS (FAILED)", "BEFORE", "95 OF 100", "BEFORE", "STATE",
  }, rows)
  return exit.DONE
end

return M
