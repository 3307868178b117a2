-- Reads the options of a command from its arguments, as the command describes them.
--
-- `--name value`, `--name=value`, `-o value`, `-ovalue`; what follows `--` is no option.

local suggest = require "parley.util.suggest"

local M = {}

---@class parley.Option
---@field name string the long name; its value is in the result under it, with _ for -
---@field short? string one letter
---@field value? string what to call the value in the help; absent: a flag
---@field help string
---@field default? any
---@field needed? boolean
---@field check? fun(text: string): any, string|nil the value, or nil and what was expected

---@class parley.Argument
---@field name string
---@field help? string
---@field needed? boolean
---@field check? fun(text: string): string|nil what was expected, when it is something else
---@field many? boolean the last one: any number of them

---@param list string[] two or more
---@return fun(text: string): string|nil, string|nil
function M.one_of(list)
  local words = table.concat(list, ", ", 1, #list - 1) .. " or " .. list[#list]
  return function(text)
    for _, known in ipairs(list) do if known == text then return text end end
    return nil, ("%s expected, got '%s'.%s"):format(words, text, suggest.hint(text, list))
  end
end

---@param from number
---@param to number
---@param whole boolean|nil
---@return fun(text: string): number|nil, string|nil
function M.number(from, to, whole)
  return function(text)
    local n = tonumber(text)
    if n and n >= from and n <= to and (not whole or n % 1 == 0) then return n end
    return nil, ("a%s number from %g to %g expected, got '%s'"):format(whole and " whole" or "",
      from, to, text)
  end
end

M.home = {
  name = "home", value = "DIR", default = ".parley", help = "the folder of the host",
}
M.config = {
  name = "config", value = "FILE", help = "the settings, instead of DIR/conf/parley.lua",
}
M.output = {
  name = "output", short = "o", value = "FORM", default = "table",
  help = "table, for people, or json, for programs", check = M.one_of { "table", "json" },
}
local HELP = { name = "help", short = "h", help = "this text" }

---How an option is written: "-o, --output FORM".
---@param option parley.Option
function M.spelling(option)
  return (option.short and "-" .. option.short .. ", " or "") .. "--" .. option.name
    .. (option.value and " " .. option.value or "")
end

---All options of a command, with --help.
---@return parley.Option[]
function M.all(command)
  local out = { unpack(command.options or {}) }
  out[#out + 1] = HELP
  return out
end

local function unknown(options, shown)
  local names = {}
  for _, o in ipairs(options) do names[#names + 1] = "--" .. o.name end
  return ("unknown option '%s'.%s"):format(shown, suggest.hint(shown:gsub("^%-*", "--"), names))
end

-- The option that an argument names, how it was written, and the value that is part of it.
local function recognise(options, text)
  local long, value = text:match "^%-%-([^=]+)=(.*)$"
  long = long or text:match "^%-%-(.+)$"
  local letter = text:match "^%-([^-])"
  for _, o in ipairs(options) do
    if o.name == long then return o, "--" .. long, value end
    if letter and o.short == letter and (o.value or #text == 2) then
      return o, "-" .. letter, #text > 2 and text:sub(3) or nil
    end
  end
  return nil, text:match "^[^=]*"
end

local function set(out, option, shown, value)
  local key = option.name:gsub("-", "_")
  if out[key] ~= nil then return ("option '%s' is given twice"):format(shown) end
  if not option.value and value then return ("option '%s' takes no value"):format(shown) end
  if not option.value then value = true end
  local problem
  if option.check then
    value, problem = option.check(value)
    if problem then return shown .. ": " .. problem end
  end
  out[key] = value
end

-- A secret that somebody gives as an argument is not shown once more. Tokens of Telegram and of the
-- host have such forms.
local function shown_argument(text)
  if text:find "^%d+:[%w_-]+$" or text:find "^prl_%w+_" then return "(a token)" end
  return "'" .. text .. "'"
end

local function check_arguments(command, out)
  local list = command.arguments or {}
  for i, argument in ipairs(list) do
    if argument.needed and out[i] == nil then
      return argument.name .. " is needed" .. (argument.help and ": " .. argument.help or "")
    end
    local expected = argument.check and out[i] ~= nil and argument.check(out[i])
    if expected then
      return ("%s: %s expected, got %s"):format(argument.name, expected, shown_argument(out[i]))
    end
  end
  local last = list[#list]
  if out[#list + 1] ~= nil and not (last and last.many) then
    return shown_argument(out[#list + 1]) .. " is one argument too many"
  end
end

local function fill(options, out)
  for _, option in ipairs(options) do
    local key = option.name:gsub("-", "_")
    if out[key] == nil then
      if option.needed then
        return ("option '--%s' is needed: %s"):format(option.name, option.help)
      end
      out[key] = option.default
    end
  end
end

---Reads the arguments of a command. With `rest` set in the command, what it does not know goes on,
---in order, to the list out.rest, beginning after its arguments.
---@param command {options?: parley.Option[], arguments?: parley.Argument[], rest?: string}
---@param args string[]
---@return table|nil out options by name, arguments in the list part; {help = true} when asked for
---@return string|nil problem
function M.parse(command, args)
  local options, out, i, plain = M.all(command), { rest = command.rest and {} }, 1, false
  while i <= #args do
    local text = args[i]
    local is_option = not plain and text:find "^%-." ~= nil
    local option, shown, value
    if is_option then option, shown, value = recognise(options, text) end
    if text == "--" and not plain then
      plain = true
    elseif option then
      if option.value and not value then
        i = i + 1
        value = args[i]
        if not value or value:find "^%-%-" then
          return nil, ("option '%s' needs a value: %s"):format(shown, option.value)
        end
      end
      local problem = set(out, option, shown, value)
      if problem then return nil, problem end
      if option == HELP then return { help = true } end
    elseif out.rest and (is_option or #out >= #command.arguments) then
      out.rest[#out.rest + 1] = text
    elseif is_option then
      return nil, unknown(options, shown)
    else
      out[#out + 1] = text
    end
    i = i + 1
  end
  local problem = check_arguments(command, out) or fill(options, out)
  if problem then return nil, problem end
  return out
end

return M
