-- What is wrong with plugins, rules and settings, as lines `FILE:LINE: MESSAGE`; and such lines
-- taken apart again.

local M = {}

---A message of a sandboxed state names files from the plugin's name on; people look for them on the
---disk.
---@param dir string the plugin's folder
---@param name string the plugin's
---@param message string
---@return string message that begins with the file, or with the folder
function M.place(dir, name, message)
  local file, rest = message:match("^" .. name .. "(/[%w_/-]+%.%a+)(:%d+: .*)$")
  if file then return dir .. file .. rest end
  return message:sub(1, #dir) == dir and message or ("%s: %s"):format(dir, message)
end

---The name under which a file is compiled. Lua shows the last 60 bytes of a name, and a home may be
---deep.
---@param path string
---@return string name the last two parts of the path
function M.chunk(path) return path:match "[^/]*/?[^/]*$" end

---The message of what was compiled under M.chunk, with the whole path.
---@param path string
---@param message string
---@return string
function M.unfold(path, message)
  local name = M.chunk(path)
  if message:sub(1, #name + 1) ~= name .. ":" then return message end
  return path .. message:sub(#name + 1)
end

---One error of two: what is wrong with each.
---@param a table|nil err
---@param b table|nil err
---@return table|nil err with the code of the first
function M.both(a, b)
  if not (a and b) then return a or b end
  local out = {}
  for key, value in pairs(a) do out[key] = value end
  out.message = a.message .. "\n" .. b.message
  return out
end

---@class parley.Place
---@field file string|nil
---@field line integer|nil
---@field message string

---@param message string one problem in each line that names a file; other lines belong to the one
---  before
---@return parley.Place[] problems at least one
function M.parse(message)
  local out = {}
  for text in (message .. "\n"):gmatch "(.-)\n" do
    local file, line, what = text:match "^(/.-):(%d+): (.*)$"
    if file or #out == 0 then
      out[#out + 1] = { file = file, line = tonumber(line), message = what or text }
    else
      out[#out].message = out[#out].message .. "\n" .. text
    end
  end
  return out
end

return M
