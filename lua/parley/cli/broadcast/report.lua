-- parley broadcast report

local broadcasts = require "parley.broadcasts"
local exit = require "parley.cli.exit"
local json = require "host.json"
local options = require "parley.cli.options"
local order = require "parley.cli.broadcast.order"
local output = require "parley.cli.output"
local shown = require "parley.cli.broadcast.shown"

local PAGE = 1000

local M = {
  about = [[
Shows what has become of the recipients, and why some have not got it. With --list, those recipients
one by one: dialog, result, code and what the channel has said, with tabs between.]],
  arguments = order.arguments,
  options = order.options {
    {
      name = "list", value = "RESULT", help = "blocked, failed, uncertain or all",
      check = options.one_of { "blocked", "failed", "uncertain", "all" },
    },
  },
}

local function cell(text) return ((text or ""):gsub("[\t\r\n]", " ")) end

-- A page at a time: there may be a million.
local function list(db, o)
  local b, err = broadcasts.get(db, o[1])
  if not b then return nil, err end
  local after, result = "", o.list ~= "all" and o.list or nil
  local rows
  repeat
    rows, err = broadcasts.results(db, b.id, result, after, PAGE)
    if not rows then return nil, err end
    for _, row in ipairs(rows) do
      local text = o.output == "json" and json.encode(row, { sorted = true })
        or table.concat({ row.dialog_id, row.result, row.code, cell(row.message) }, "\t")
      io.stdout:write(text, "\n")
      after = row.dialog_id
    end
  until #rows < PAGE
  return true
end

local function show(report)
  local lines = shown.lines(report.broadcast)
  for _, r in ipairs(report.reasons) do
    lines[#lines + 1] = { r.result .. ": " .. r.code, tostring(r.recipients) }
  end
  output.table(table.remove(lines, 1), lines)
end

function M.run(o)
  if not o.list then
    return order.run(o, function(db)
      local report, err = broadcasts.report(db, o[1])
      if report then json.array(report.reasons) end
      return report, err
    end, show)
  end
  -- One line for each, also of JSON.
  return order.with(o, function(db)
    local ok, err = list(db, o)
    return ok and exit.DONE or order.failed(err)
  end)
end

return M
