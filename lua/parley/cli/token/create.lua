-- parley token create

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local issue = require "parley.auth.issue"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local suggest = require "parley.util.suggest"
local time = require "host.time"
local token = require "parley.auth.token"

local DAY_MS = 86400000

local function check_scopes(text)
  local known, out = {}, {}
  for _, s in ipairs(token.SCOPES) do known[s] = true end
  for s in text:gmatch "[^,%s]+" do
    if not known[s] then
      return nil, ("there is no scope '%s'.%s"):format(s, suggest.hint(s, known))
    end
    out[#out + 1] = s
  end
  if #out == 0 then return nil, "some of " .. table.concat(token.SCOPES, ",") .. " expected" end
  return out
end

local M = {
  about = [[
Makes a token and prints it. It is shown this once and kept as a hash.
The scopes are ]] .. table.concat(token.SCOPES, ", ", 1, 6) .. ",\n"
    .. table.concat(token.SCOPES, ", ", 7) .. ".",
  options = {
    {
      name = "kind", value = "KIND", needed = true, help = "bot, plg, reg or adm",
      check = options.one_of { "bot", "plg", "reg", "adm" },
    },
    {
      name = "scopes", value = "A,B", needed = true, help = "what it may do, with commas between",
      check = check_scopes,
    },
    { name = "label", value = "TEXT", help = "what it is for" },
    {
      name = "expires-days", value = "N", help = "it ends after so many days",
      check = options.number(0.001, 36500),
    },
    options.home, options.config, options.output,
  },
}

function M.run(o)
  return database.with(o, {}, function(db)
    local text, id = issue.store(db, {
      kind = o.kind, scopes = o.scopes, label = o.label,
      expires_at = o.expires_days and time.now_ms() + o.expires_days * DAY_MS,
    })
    if not text then return exit.failed(id) end
    if o.output == "json" then return output.json { id = id, token = text } end
    io.stdout:write(text, "\n")
    return exit.DONE
  end)
end

return M
