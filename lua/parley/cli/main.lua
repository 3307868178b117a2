-- The command line: finds the command's file and runs it. Data goes to stdout, all else to stderr.
--
-- Exit codes: 0 done, 1 the answer is no, 64 wrong usage, 69 no host is running, 70 a bug, 71 the
-- system refuses, 74 input or output, 75 try again (the home is in use), 78 wrong configuration
-- (sysexits.h).

local suggest = require "parley.util.suggest"

local M = {}

M.COMMANDS = {
  { "serve", "start the host" },
  { "reload", "take up configuration, rules and plugins" },
  { "status", "show workers, plugins and generations" },
  { "stop", "stop the host when its running turns have finished" },
  { "chat", "talk to a running host in the terminal" },
  { "plugin", "make, check, test and run a plugin" },
  { "token", "create, list and revoke tokens" },
  { "migrate", "bring the database schema up or down" },
  { "check", "check the configuration and every plugin" },
  { "busted", "run specs inside the host" },
  { "lua", "run a Lua file inside the host" },
  { "version", "print the version" },
  { "help", "this text" },
}

---Splits arguments into options and the rest. `--name value`, `--name=value`, `-o value`.
---@param args string[]
---@param known table<string, string> option -> "value" or "flag"
---@return table|nil options positional arguments are in the list part
---@return string|nil problem
function M.options(args, known)
  local out, i = {}, 1
  while i <= #args do
    local name, value = args[i]:match "^%-%-?([%w%-]+)=(.*)$"
    name = name or args[i]:match "^%-%-?([%w%-]+)$"
    if not name then
      out[#out + 1] = args[i]
    elseif not known[name] then
      return nil, "unknown option '" .. args[i] .. "'." .. suggest.hint(name, known)
    elseif known[name] == "flag" then
      out[name] = true
    else
      if not value then
        i = i + 1
        value = args[i]
      end
      if not value then return nil, "option '--" .. name .. "' needs a value" end
      out[name] = value
    end
    i = i + 1
  end
  return out
end

local EXIT = { config = 78, plugin = 78, rules = 78, not_running = 69, busy = 75 }

---@return integer exit code
function M.usage(message)
  io.stderr:write("parley: ", message, "\n")
  return 64
end

---@return integer exit code
function M.failed(err)
  io.stderr:write("parley: ", err.message, "\n")
  return EXIT[err.code] or 74
end

local function help()
  local out = { "usage: parley COMMAND [OPTIONS]\n\n" }
  for _, c in ipairs(M.COMMANDS) do out[#out + 1] = ("  %-10s %s\n"):format(c[1], c[2]) end
  out[#out + 1] = "\nparley COMMAND --help says more.\n"
  io.stdout:write(table.concat(out))
  return 0
end

---@return integer exit code
function M.main(name, ...)
  if name == nil then
    help()
    return 64
  end
  if name == "help" or name == "--help" or name == "-h" then return help() end
  if name == "version" or name == "--version" then
    io.stdout:write("parley ", require("host.fs").version(), "\n")
    return 0
  end
  local names = {}
  for _, c in ipairs(M.COMMANDS) do names[c[1]] = true end
  if not names[name] then
    return M.usage("there is no command '" .. name .. "'." .. suggest.hint(name, names))
  end
  return require("parley.cli." .. name)(...)
end

return M
