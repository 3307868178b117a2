-- parley plugin new|check|test|run

local cli = require "parley.cli.main"
local suggest = require "parley.util.suggest"

local HELP = [[
usage: parley plugin new NAME [--kind lua|rest] [--dir DIR]
       parley plugin check [NAME|PATH...] [-o json|table]
       parley plugin test NAME|PATH [ARGUMENTS OF busted]
       parley plugin run NAME|PATH [--config FILE]

new     makes a plugin that works, in the home's plugins/ or in DIR
check   says what is wrong with the manifest and the code, with file and line; all of the home's
        plugins when none is named
test    runs its spec/*_spec.lua inside the host
run     talks to it in the terminal, without a server; it is reloaded at every save

Options of all: --home DIR (default .parley).
]]

local ACTIONS = { new = true, check = true, test = true, run = true }

return function(action, ...)
  if action == "--help" or action == "-h" then
    io.stdout:write(HELP)
    return 0
  end
  if not action then
    io.stderr:write(HELP)
    return 64
  end
  if not ACTIONS[action] then
    return cli.usage("plugin: there is no '" .. action .. "'." .. suggest.hint(action, ACTIONS))
  end
  for _, argument in ipairs { ... } do
    if argument == "--help" or argument == "-h" then
      io.stdout:write(HELP)
      return 0
    end
  end
  return require("parley.cli.plugin." .. action)(...)
end
