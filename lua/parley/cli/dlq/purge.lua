-- parley dlq purge

local dead_letters = require "parley.store.dead_letters"
local exit = require "parley.cli.exit"
local letters = require "parley.cli.dlq.letters"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local time = require "host.time"

local DAY_MS = 86400000

local M = {
  about = "Throws letters away. What they are of is not tried again.",
  arguments = { { name = "ID", help = "as parley dlq list shows it", many = true } },
  options = {
    { name = "all", help = "all that there are, instead of ID" },
    {
      name = "older-than", value = "DAYS", help = "those that are older, instead of ID",
      check = options.number(0, 36500),
    },
    letters.kind, options.home, options.config, options.output,
  },
}

local function purge(db, o)
  if o[1] == nil then
    local before = o.older_than and math.floor(time.now_ms() - o.older_than * DAY_MS)
    local n, err = dead_letters.purge_all(db, { kind = o.kind, before = before }, letters.BY)
    if not n then return 0, exit.failed(err) end
    return n, exit.DONE
  end
  local done, code = letters.each({ unpack(o) }, function(id)
    return dead_letters.purge(db, id, letters.BY)
  end)
  return #done, code
end

function M.run(o)
  local ways = (o[1] ~= nil and 1 or 0) + (o.all and 1 or 0) + (o.older_than and 1 or 0)
  if ways ~= 1 then return exit.usage "dlq purge: some ID, --all or --older-than expected" end
  return letters.with(o, function(db)
    local n, code = purge(db, o)
    if o.output == "json" then
      output.json { purged = n }
    elseif n > 0 or code == exit.DONE then
      io.stdout:write("purged ", n, "\n")
    end
    return code
  end)
end

return M
