-- parley broadcast list

local broadcasts = require "parley.broadcasts"
local json = require "host.json"
local options = require "parley.cli.options"
local order = require "parley.cli.broadcast.order"
local output = require "parley.cli.output"
local shown = require "parley.cli.broadcast.shown"

local M = {
  about = "Shows what broadcasts there are, the newest first.",
  options = order.options {
    {
      name = "limit", value = "N", default = 50, help = "so many of them",
      check = options.number(1, 10000, true),
    },
  },
}

function M.run(o)
  return order.run(o, function(db)
    local rows, err = broadcasts.list(db, nil, o.limit)
    if not rows then return nil, err end
    local views = json.array()
    for i, b in ipairs(rows) do views[i] = broadcasts.view(b) end
    return views
  end, function(views)
    local cells = {}
    for i, b in ipairs(views) do
      local p = b.progress
      cells[i] = {
        b.id, b.bot, b.state, ("%g %%"):format(p.percent), tostring(p.sent), tostring(p.blocked),
        tostring(p.failed + p.uncertain), shown.when(b), b.label or "",
      }
    end
    output.table({
      "ID", "BOT", "STATE", "DONE", "SENT", "BLOCKED", "FAILED", "WHEN", "LABEL",
    }, cells)
  end)
end

return M
