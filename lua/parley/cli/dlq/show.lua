-- parley dlq show

local dead_letters = require "parley.store.dead_letters"
local exit = require "parley.cli.exit"
local json = require "host.json"
local letters = require "parley.cli.dlq.letters"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = "Shows one of them: what it was, why it was given up, its trace_id for the log.",
  arguments = { { name = "ID", help = "as parley dlq list shows it", needed = true } },
  options = { options.home, options.config, options.output },
}

function M.run(o)
  return letters.with(o, function(db)
    local row, err = dead_letters.get(db, o[1])
    if not row then return letters.failed(err) end
    local view = dead_letters.view(row)
    if o.output == "json" then return output.json(view) end
    for _, key in ipairs { "id", "kind", "source", "created_at", "attempts", "trace_id" } do
      io.stdout:write(("%-10s  %s\n"):format(key, tostring(view[key])))
    end
    io.stdout:write("error       ", tostring(view.error.code), ": ", tostring(view.error.message),
      "\npayload     ", json.encode(view.payload, { sorted = true }), "\n")
    return exit.DONE
  end)
end

return M
