-- parley bot doctor

local bots = require "parley.store.bots"
local doctor = require "parley.channels.telegram.doctor"
local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local json = require "host.json"
local orders = require "parley.channels.telegram.orders"
local output = require "parley.cli.output"
local shared = require "parley.cli.bot.orders"
local texts = require "parley.cli.texts"

local M = {
  about = [[
Examines a bot: the way to Telegram (DNS, TLS), its token, its webhook and where that leads, updates
that wait, who else gets its updates, which worker works for it. Says of each problem what to do, in
English, Russian or Ukrainian, as LC_ALL or LANG says, and changes nothing. Exits with 1 when there
is a problem.]],
  arguments = { shared.name },
  options = shared.common,
}

local SIGNS = { good = "ok", hint = "hint", problem = "PROBLEM" }

local function print_all(findings)
  for _, f in ipairs(findings) do
    io.stdout:write(("%-8s %-8s %s\n"):format(SIGNS[f.kind], f.check, f.message))
    if f.advice then io.stdout:write(("%-17s %s\n"):format("", f.advice)) end
  end
end

local function find(deps, name)
  local row, err = orders.find(deps.db, name)
  if not row then return nil, err end
  return bots.open(row, deps.vault, deps.master)
end

-- With a database in a file it is the host on this home, or none.
local function is_running(o, db)
  if db:dialect() ~= "sqlite" then return nil end
  local _, err = home.ask(o.home, { cmd = "status" }, 10)
  return not (err and err.code == "not_running")
end

function M.run(o)
  return shared.with(o, function(deps, config)
    local bot, err = find(deps, o[1])
    if not bot then return shared.failed(err) end
    local findings, well = doctor.examine {
      bot = bot, url = deps.url, db = deps.db, running = is_running(o, deps.db),
      certificate = config.https_listen and config.tls.certificate, language = texts.language(),
    }
    if o.output == "json" then
      output.json { name = bot.name, well = well, findings = json.array(findings) }
    else
      print_all(findings)
    end
    return well and exit.DONE or exit.NO
  end)
end

return M
