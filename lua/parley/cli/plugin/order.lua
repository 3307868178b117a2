-- What the orders of an operator have in common: they go to the running host, which carries them
-- out for all workers.

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {}

local SECONDS = 60
local EXIT = {
  plugin_not_found = exit.NO, conflict = exit.NO, plugin_conflict = exit.NO,
  reload_refused = exit.CONFIG, bundle = exit.CONFIG, validation_failed = exit.USAGE,
}

M.reason = {
  name = "reason", value = "TEXT", help = "why, for the audit",
  check = function(text)
    if #text > 256 then return nil, "at most 256 bytes expected" end
    return text
  end,
}

---The options of an order, and those of every command that asks the host.
---@param own parley.Option[]
---@return parley.Option[]
function M.options(own)
  own[#own + 1] = options.home
  own[#own + 1] = options.output
  return own
end

M.arguments = { { name = "PLUGIN", help = "its name", needed = true } }

---Sends an order about the plugin o[1].
---@param o table options of the command
---@param name string "disable", "enable", "rollback", "follow" or "bundles"
---@param more table|nil what goes with it
---@return table|nil result
---@return integer|nil code the exit code; what was wrong has been said
function M.send(o, name, more)
  local request = { cmd = "plugin." .. name, plugin = o[1], reason = o.reason }
  for key, value in pairs(more or {}) do request[key] = value end
  local r, err = home.ask(o.home, request, SECONDS)
  if r then return r end
  local code = exit.failed(err)
  return nil, EXIT[err.code] or code
end

---Sends an order and shows what has come of it.
---@param o table
---@param name string
---@param say fun(result: table): string
---@param more table|nil
---@return integer exit code
function M.run(o, name, say, more)
  local r, code = M.send(o, name, more)
  if not r then return code end
  if o.output == "json" then return output.json(r) end
  io.stdout:write(say(r), "\n")
  return exit.DONE
end

return M
