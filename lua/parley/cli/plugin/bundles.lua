-- parley plugin bundles: what has served of a plugin.

local exit = require "parley.cli.exit"
local json = require "host.json"
local order = require "parley.cli.plugin.order"
local output = require "parley.cli.output"
local time = require "host.time"

local M = {
  about = [[
Shows the bundles of a plugin that have served, the newest first: what its files said, by hash.]],
  arguments = order.arguments, options = order.options {},
}

local function state_of(row)
  if row.serves then return row.pinned and "serves, rolled back" or "serves" end
  if row.pinned then return "is to serve, and is not here" end
  return row.here and "" or "not here"
end

function M.run(o)
  local r, code = order.send(o, "bundles")
  if not r then return code end
  if o.output == "json" then
    for _, row in ipairs(r.bundles) do row.served_at = time.rfc3339(row.served_at) end
    return output.json(json.array(r.bundles))
  end
  local rows = {}
  for i, row in ipairs(r.bundles) do
    rows[i] = { row.hash:sub(1, 12), row.version, time.rfc3339(row.served_at), state_of(row) }
  end
  output.table({ "BUNDLE", "VERSION", "CAME INTO SERVICE", "" }, rows)
  return exit.DONE
end

return M
