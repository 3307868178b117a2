-- The command line. Data goes to stdout, all else to stderr; exit.lua has the exit codes.

local command = require "parley.cli.command"
local exit = require "parley.cli.exit"

local M = {}

M.about = "A host for conversations."

M.commands = {
  { "serve", "start the host" },
  { "check", "check settings, rules, triggers and every plugin" },
  { "reload", "take up settings, rules, triggers and plugins" },
  { "status", "show workers, plugins and generations" },
  { "stop", "stop the host when its running turns have finished" },
  { "chat", "talk to a running host in the terminal" },
  { "bot", "add, change, pause and examine the bots of Telegram" },
  { "token", "create, list and revoke tokens" },
  { "broadcast", "send one message to many people" },
  { "dlq", "look at what was given up, try it again, throw it away" },
  { "migrate", "bring the database schema up or down" },
  { "plugin", "make, check, test and run a plugin; disable it, roll it back" },
  { "types", "bring the definitions for editors up to date" },
  { "conformance", "check a REST plugin from outside" },
  { "sim", "play a service that the host talks to: Telegram" },
  { "busted", "run specs inside the host" },
  { "lua", "run a Lua file inside the host" },
  { "version", "print the version" },
  { "help", "say more about a command" },
}

-- A full disk or a closed pipe must not pass for success: a token, say, is printed once.
local function flush(code)
  local ok, problem = io.stdout:flush()
  if ok or code ~= exit.DONE then return code end
  return exit.failed { code = "io", message = "cannot write the output: " .. problem }
end

---@return integer exit code
function M.main(...)
  local args = { ... }
  if args[1] == "--version" then args[1] = "version" end
  return flush(command.run({}, M, args))
end

return M
