-- A command, as data: what it takes, what it does. Parsing, help and messages follow from it.
--
-- A command is a module `parley.cli.NAME`, or `parley.cli.GROUP.NAME` in a group. A group lists its
-- commands with one line each, so that the help loads none of them.

local exit = require "parley.cli.exit"
local options = require "parley.cli.options"
local suggest = require "parley.util.suggest"

local M = {}

---@class parley.Command
---@field about string what it does, for its help
---@field options? parley.Option[]
---@field arguments? parley.Argument[]
---@field rest? string what the arguments are that go on to somebody else
---@field raw? boolean everything goes on, --help too
---@field run fun(o: table, ...): integer exit code

---@class parley.Group
---@field about string
---@field commands string[][] name, what it does

---@param path string[] {"token", "create"}
---@return table command or group
function M.load(path) return require("parley.cli." .. table.concat(path, ".")) end

local function pad(rows, indent)
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = ("%s%-" .. width .. "s  %s\n"):format(indent, row[1], row[2])
  end
  return table.concat(out)
end

local function usage_of(path, command)
  local out = { "usage: parley", table.concat(path, " ") }
  for _, a in ipairs(command.arguments or {}) do
    local name = a.name .. (a.many and "..." or "")
    out[#out + 1] = a.needed and name or "[" .. name .. "]"
  end
  for _, o in ipairs(command.options or {}) do
    if o.needed then out[#out + 1] = "--" .. o.name .. " " .. o.value end
  end
  if #options.all(command) > 1 and not command.raw then out[#out + 1] = "[OPTIONS]" end
  if command.rest then out[#out + 1] = "[" .. command.rest .. "]" end
  return table.concat(out, " ")
end

local function option_rows(command)
  local rows = {}
  for i, o in ipairs(options.all(command)) do
    local note = o.needed and " (needed)" or o.default and " (default " .. o.default .. ")" or ""
    rows[i] = { options.spelling(o), o.help .. note }
  end
  return rows
end

---@param path string[]
---@param node table command or group
---@return string
function M.help(path, node)
  local about = node.about:gsub("%s+$", "") .. "\n\n"
  if node.commands then
    local name = #path > 0 and "parley " .. table.concat(path, " ") or "parley"
    return ("usage: %s COMMAND [OPTIONS]\n\n%s%s\n%s COMMAND --help says more.\n")
      :format(name, about, pad(node.commands, "  "), name)
  end
  local text = usage_of(path, node) .. "\n\n" .. about
  local arguments = {}
  for _, a in ipairs(node.arguments or {}) do
    if a.help then arguments[#arguments + 1] = { a.name, a.help } end
  end
  if #arguments > 0 then text = text .. pad(arguments, "  ") .. "\n" end
  return node.raw and text:gsub("\n+$", "\n") or text .. pad(option_rows(node), "  ")
end

local function names_of(group)
  local out = {}
  for _, c in ipairs(group.commands) do out[c[1]] = true end
  return out
end

local function wrong(path, message)
  local prefix = #path > 0 and table.concat(path, " ") .. ": " or ""
  return exit.usage(prefix .. message)
end

local function run_command(path, command, args)
  if command.raw then return command.run(unpack(args)) end
  local o, problem = options.parse(command, args)
  if not o then return wrong(path, problem) end
  if o.help then
    io.stdout:write(M.help(path, command))
    return exit.DONE
  end
  return command.run(o)
end

---Finds the command that `args` names below a command or group, and runs it.
---@param path string[] that led here; it is extended
---@param node table
---@param args string[]
---@return integer exit code
function M.run(path, node, args)
  if not node.commands then return run_command(path, node, args) end
  local name = args[1]
  if name == nil then
    io.stderr:write(M.help(path, node))
    return exit.USAGE
  end
  if name == "--help" or name == "-h" then
    io.stdout:write(M.help(path, node))
    return exit.DONE
  end
  if name:find "^%-" then
    return wrong(path, ("the command comes before its options, got '%s'"):format(name))
  end
  local known = names_of(node)
  if not known[name] then
    return wrong(path, ("there is no command '%s'.%s"):format(name, suggest.hint(name, known)))
  end
  path[#path + 1] = name
  return M.run(path, M.load(path), { unpack(args, 2) })
end

return M
