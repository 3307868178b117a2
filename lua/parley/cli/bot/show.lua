-- parley bot show

local exit = require "parley.cli.exit"
local json = require "host.json"
local orders = require "parley.channels.telegram.orders"
local output = require "parley.cli.output"
local shared = require "parley.cli.bot.orders"

local M = {
  about = "Shows one bot, what is wrong with it, and which worker works for it.",
  arguments = { shared.name },
  options = shared.common,
}

local function as_table(view)
  local cells = {}
  local function line(key, value)
    if value ~= nil then cells[#cells + 1] = { key, tostring(value) } end
  end
  line("name", view.name)
  line("username", view.username and "@" .. view.username)
  line("telegram id", view.telegram_id)
  line("transport", view.transport)
  line("state", view.state)
  line("worker", view.state == "active" and (view.worker or "none: no host runs") or nil)
  line("plugins", view.plugins and table.concat(view.plugins, ", ") or "all")
  line("settings", json.encode(view.config, { sorted = true }))
  line("problem", view.problem and view.problem.message)
  line("since", view.problem and view.problem.since)
  line("created", view.created_at)
  line("changed", view.changed_at)
  for _, row in ipairs(cells) do io.stdout:write(("%-11s  %s\n"):format(row[1], row[2])) end
  return exit.DONE
end

local function find(deps, name)
  local row, err = orders.find(deps.db, name)
  if not row then return nil, err end
  return orders.view(row, deps.vault)
end

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = find(deps, o[1])
    if not view then return shared.failed(err) end
    if view.state == "active" then view.worker, err = orders.worker(deps.db, view.name) end
    if err then return shared.failed(err) end
    return (o.output == "json" and output.json or as_table)(view)
  end)
end

return M
