-- parley bot list

local bots = require "parley.store.bots"
local exit = require "parley.cli.exit"
local json = require "host.json"
local orders = require "parley.channels.telegram.orders"
local output = require "parley.cli.output"
local shared = require "parley.cli.bot.orders"

local PAGE = 500

local M = {
  about = "Shows what bots there are, never their tokens.",
  options = shared.common,
}

local function read(deps)
  local views, after = json.array(), ""
  local rows, err
  repeat
    rows, err = bots.page(deps.db, after, PAGE)
    if not rows then return nil, err end
    for _, row in ipairs(rows) do views[#views + 1] = orders.view(row, deps.vault) end
    after = #rows == PAGE and rows[PAGE].name
  until not after
  return views
end

function M.run(o)
  return shared.with(o, function(deps)
    local views, err = read(deps)
    if not views then return exit.failed(err) end
    if o.output == "json" then return output.json(views) end
    local cells = {}
    for i, view in ipairs(views) do
      cells[i] = {
        view.name, view.username and "@" .. view.username or "", view.transport, view.state,
        view.problem and view.problem.code or "", view.created_at,
      }
    end
    output.table({ "NAME", "USERNAME", "TRANSPORT", "STATE", "PROBLEM", "CREATED" }, cells)
    return exit.DONE
  end)
end

return M
