-- parley token list

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local time = require "host.time"
local tokens = require "parley.store.tokens"

local M = {
  about = "Shows what tokens there are, never their text.",
  options = { options.home, options.config, options.output },
}

local function as_json(rows)
  local out = json.array()
  for i, row in ipairs(rows) do out[i] = tokens.view(row) end
  return output.json(out)
end

local function as_table(rows)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = {
      row.id, row.kind, tokens.state(row), time.rfc3339(row.created_at),
      row.expires_at and time.rfc3339(row.expires_at) or "never", row.label or "",
      table.concat(row.scopes, ","),
    }
  end
  output.table({ "ID", "KIND", "STATE", "CREATED", "EXPIRES", "LABEL", "SCOPES" }, cells)
  return exit.DONE
end

function M.run(o)
  return database.with(o, { existing = true }, function(db)
    local rows, err = tokens.list(db)
    if not rows then return exit.failed(err) end
    return (o.output == "json" and as_json or as_table)(rows)
  end)
end

return M
