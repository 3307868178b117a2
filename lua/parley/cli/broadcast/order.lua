-- What the commands have in common that change a broadcast, or show one.

local database = require "parley.cli.database"
local exit = require "parley.cli.exit"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local shown = require "parley.cli.broadcast.shown"

local M = {}

local EXIT = {
  broadcast_not_found = exit.NO, conflict = exit.NO, validation_failed = exit.USAGE,
}

M.arguments = { { name = "ID", help = "as parley broadcast list shows it", needed = true } }

M.reason = {
  name = "reason", value = "TEXT", help = "why, for the audit",
  check = function(text)
    if #text > 256 then return nil, "at most 256 bytes expected" end
    return text
  end,
}

---@param own parley.Option[]
---@return parley.Option[]
function M.options(own)
  for _, o in ipairs { options.home, options.config, options.output } do own[#own + 1] = o end
  return own
end

---@param err table
---@return integer exit code
function M.failed(err)
  local code = exit.failed(err)
  return EXIT[err.code] or code
end

---@param o table options of the command
---@param fn fun(db: table, config: table): integer exit code
---@return integer exit code
function M.with(o, fn) return database.with(o, { existing = true }, fn) end

---Asks the database and shows what it has answered.
---@param o table options of the command
---@param ask fun(db: table, config: table): table|nil, table|nil
---@param show fun(answer: table)
---@return integer exit code
function M.run(o, ask, show)
  return M.with(o, function(db, config)
    local answer, err = ask(db, config)
    if not answer then return M.failed(err) end
    if o.output == "json" then return output.json(answer) end
    show(answer)
    return exit.DONE
  end)
end

---A line about a broadcast that was changed.
---@param b table BroadcastV1
function M.say(b) io.stdout:write(b.id, "  ", b.state, "  ", shown.when(b), "\n") end

---A command that changes a broadcast.
---@param fn fun(db: table, id: string, order: parley.BroadcastOrder): table|nil, table|nil
---@param about string
---@return parley.Command
function M.command(fn, about)
  return {
    about = about, arguments = M.arguments, options = M.options { M.reason },
    run = function(o)
      return M.run(o, function(db) return fn(db, o[1], { by = "cli", reason = o.reason }) end,
        M.say)
    end,
  }
end

return M
