-- parley dlq list

local dead_letters = require "parley.store.dead_letters"
local exit = require "parley.cli.exit"
local json = require "host.json"
local letters = require "parley.cli.dlq.letters"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local utf8 = require "parley.util.utf8"

local M = {
  about = "Shows what was given up, the newest first.",
  options = {
    letters.kind,
    {
      name = "limit", value = "N", default = 50, help = "so many of them",
      check = options.number(1, 10000, true),
    },
    options.home, options.config, options.output,
  },
}

local CLIP = 60

local function as_table(views)
  local cells = {}
  for i, v in ipairs(views) do
    cells[i] = {
      v.id, v.created_at, v.source:match "^[^#]*", tostring(v.error.code),
      (utf8.clip(tostring(v.error.message), CLIP):gsub("%c", " ")),
    }
  end
  output.table({ "ID", "SINCE", "SOURCE", "CODE", "MESSAGE" }, cells)
  return exit.DONE
end

function M.run(o)
  return letters.with(o, function(db)
    local rows, err = dead_letters.page(db, { kind = o.kind, limit = o.limit })
    if not rows then return exit.failed(err) end
    local views = json.array()
    for i, row in ipairs(rows) do views[i] = dead_letters.view(row) end
    return o.output == "json" and output.json(views) or as_table(views)
  end)
end

return M
