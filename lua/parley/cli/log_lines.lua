-- Lines of the log about plugins, for a person at a terminal: the columns aligned, what has several
-- lines (a traceback) below.

local fs = require "host.fs"

local M = {}
M.__index = M

local COLOURS = { debug = "\27[2m", warn = "\27[33m", error = "\27[31m" }

-- What stands in a column or is no news to a person.
local OWN = {
  time = true, level = true, msg = true, plugin = true, dialog_id = true, fields = true,
  trace_id = true, process = true, error = true,
}

function M.new()
  local no_color = fs.getenv "NO_COLOR"
  return setmetatable({
    coloured = fs.isatty(1) and (no_color == nil or no_color == ""), widest = 0, day = nil,
  }, M)
end

-- A plugin must not be able to drive the terminal.
local function plain(text)
  return (text:gsub("[%z\1-\9\11-\31\127]", "?"):gsub("\194[\128-\159]", "?"))
end

-- What a text has after its first line stands below it.
local function below(text) return (text:gsub("\n", "\n  ")) end

local function value_of(v)
  if type(v) == "number" and v % 1 ~= 0 then return ("%.4g"):format(v) end
  if type(v) ~= "table" then
    local text = tostring(v)
    return text:find "^[^%s\"=]+$" and text or ('"%s"'):format(text:gsub('"', "'"))
  end
  local parts = {}
  for _, key in ipairs(M.keys(v)) do
    parts[#parts + 1] = (type(key) == "number" and "" or key .. "=") .. value_of(v[key])
  end
  return "{" .. table.concat(parts, " ") .. "}"
end

---The keys of a table, in an order that is always the same.
function M.keys(t)
  local out = {}
  for key in pairs(t) do out[#out + 1] = key end
  table.sort(out, function(a, b)
    if type(a) == type(b) then return a < b end
    return type(a) == "number"
  end)
  return out
end

local function fields_of(line)
  local out = {}
  for _, key in ipairs(M.keys(line)) do
    if not OWN[key] then out[#out + 1] = key .. "=" .. value_of(line[key]) end
  end
  local own = type(line.fields) == "table" and line.fields or {}
  for _, key in ipairs(M.keys(own)) do out[#out + 1] = key .. "=" .. value_of(own[key]) end
  return out
end

---Writes one line of the log to stdout.
---@param line table its fields
function M:write(line)
  local day = line.time:sub(1, 10)
  if day ~= self.day then
    io.stdout:write(("-- %s, UTC\n"):format(day))
    self.day = day
  end
  self.widest = math.max(self.widest, #line.plugin)
  local level = ("%-5s"):format(line.level)
  if self.coloured and COLOURS[line.level] then level = COLOURS[line.level] .. level .. "\27[0m" end
  local parts = fields_of(line)
  if line.dialog_id then parts[#parts + 1] = "dialog=" .. value_of(line.dialog_id) end
  local text = below(plain(line.msg))
  if #parts > 0 then text = text .. "  " .. plain(table.concat(parts, " "):gsub("\n", "\\n")) end
  if line.error then text = text .. below("\n" .. plain(tostring(line.error))) end
  local name = line.plugin .. (" "):rep(self.widest - #line.plugin)
  io.stdout:write(line.time:sub(12, 23), " ", level, " ", name, "  ", text, "\n")
end

return M
