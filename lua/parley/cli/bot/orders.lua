-- What the commands of `parley bot` share: the database with the key that opens tokens, and reading
-- a token without showing it.

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local secrets = require "parley.plugins.secrets"
local stdin = require "host.stdin"
local vault = require "parley.auth.vault"

local M = {}

---Who has ordered it, in the audit.
M.BY = "cli"

local ENV = "PARLEY_BOT_TOKEN"
local FILE_MAX = 64 * 1024

M.name = { name = "NAME", help = "as parley bot list shows it", needed = true }
M.common = { options.home, options.config, options.output }

M.token_file = {
  name = "token-file", value = "FILE",
  help = "where the token is; default: " .. ENV .. ", or a line of the standard input",
}
M.offline = { name = "offline", help = "do not ask Telegram whose token it is" }

local function check_list(text)
  local out = json.array()
  for item in text:gmatch "[^,%s]+" do out[#out + 1] = item end
  if #out == 0 then return nil, "names of plugins, with commas between, expected" end
  return out
end

local function check_object(path)
  local text, err = fs.read_any(path, FILE_MAX)
  if not text then return nil, err.message end
  local value, problem = json.decode(text)
  if type(value) ~= "table" or json.is_array(value) then
    return nil, ("%s: a JSON object expected%s"):format(path,
      problem and " (" .. problem.message .. ")" or "")
  end
  return value
end

---What a bot may reach, and its settings.
M.settings = {
  {
    name = "plugins", value = "A,B", check = check_list,
    help = "the plugins that its dialogs may reach",
  },
  {
    name = "settings", value = "FILE", check = check_object,
    help = "JSON: locale, fallback_plugin, access, plugins.NAME",
  },
}

---The token, from where it is not seen by others: arguments are, by everybody on the machine.
---@param o {token_file: string|nil}
---@return string|nil token
---@return table|nil err
function M.token(o)
  local text, err
  if o.token_file then
    text, err = fs.read_any(o.token_file, FILE_MAX)
  else
    text = fs.getenv(ENV)
    if not text then
      if fs.isatty(0) then io.stderr:write("token, as @BotFather gave it: ") end
      text, err = stdin.read_line()
    end
  end
  if not text then
    return nil, {
      code = "usage", message = ("no token: give it by --token-file, %s or the standard input (%s)")
        :format(ENV, err.message),
    }
  end
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

---Calls fn with what orders need.
---@param o table options of the command
---@param fn fun(deps: parley.BotOrders, config: table): integer exit code
---@param new boolean|nil whether the home need not be there
---@return integer exit code
function M.with(o, fn, new)
  return database.with(o, { existing = not new }, function(db, config)
    local master, err = secrets.master(config)
    if not master then return exit.failed(err) end
    return fn({
      db = db, vault = vault.new(master), url = config.telegram.api, master = master,
    }, config)
  end)
end

-- What the answer "no" is for: nothing is wrong with the call, or with the host.
local NO = {
  bot_not_found = true, conflict = true, bot_token_refused = true, bot_webhook_refused = true,
}

---Says what has failed.
---@param err table
---@return integer exit code
function M.failed(err)
  local code = exit.failed(err)
  if err.code == "validation_failed" then return exit.USAGE end
  return NO[err.code] and exit.NO or code
end

---Ends a command with what an order has brought.
---@param o table options of the command
---@param view table|nil BotV1
---@param err table|nil
---@param said string what was done, for people
---@return integer exit code
function M.done(o, view, err, said)
  if not view then return M.failed(err) end
  if o.output == "json" then return output.json(view) end
  io.stdout:write(said, " ", view.name, view.username and " (@" .. view.username .. ")" or "", "\n")
  return exit.DONE
end

return M
