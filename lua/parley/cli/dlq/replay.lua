-- parley dlq replay

local dead_letters = require "parley.store.dead_letters"
local exit = require "parley.cli.exit"
local json = require "host.json"
local letters = require "parley.cli.dlq.letters"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local PAGE = 500

local M = {
  about = [[
Opens again what was given up: a message is sent, a job fired, a turn run by a running host within
seconds, or by the next one. Each letter is gone then, so that it happens once.]],
  arguments = { { name = "ID", help = "as parley dlq list shows it", many = true } },
  options = {
    { name = "all", help = "all that there are, instead of ID" }, letters.kind, options.home,
    options.config, options.output,
  },
}

-- Oldest first, as they were given up.
local function all_ids(db, kind)
  local ids, cursor = {}, nil
  repeat
    local rows, more = dead_letters.page(db, { kind = kind, limit = PAGE, cursor = cursor })
    if not rows then return nil, more end
    for _, row in ipairs(rows) do table.insert(ids, 1, row.id) end
    cursor = more
  until not cursor
  return ids
end

function M.run(o)
  if (o[1] ~= nil) == (o.all == true) then
    return exit.usage "dlq replay: some ID or --all expected"
  end
  return letters.with(o, function(db)
    local ids, err = { unpack(o) }, nil
    if o.all then ids, err = all_ids(db, o.kind) end
    if not ids then return exit.failed(err) end
    local done, code = letters.each(ids, function(id)
      return dead_letters.replay(db, id, { by = letters.BY })
    end)
    if o.output == "json" then
      output.json { replayed = json.array(done) }
    else
      for _, id in ipairs(done) do io.stdout:write("replayed ", id, "\n") end
    end
    return code
  end)
end

return M
