-- The text that builds a sandboxed state: engine/sandbox.lua, and the libraries that are files of
-- their own. Each becomes a function, so that all of it is one chunk, which host.sandbox.new takes
-- as it is or compiled.

local fs = require "host.fs"

local M = {}

local PARTS = { "strings", "tables", "utf8" }

local text -- read once per process: every state is built from the same bytes

local function read(name)
  local source, err = fs.read(fs.data_dir() .. "/lua/parley/engine/" .. name .. ".lua")
  if not source then error("cannot read the sandbox: " .. err.message) end
  return source
end

---@return string source of a chunk that takes what host/engine/sandbox_lib.c pushes
function M.text()
  if text then return text end
  local out = { "local raw, parts = ..., {}" }
  for _, name in ipairs(PARTS) do
    out[#out + 1] = "parts." .. name .. " = function(...) " .. read(name) .. " end"
  end
  out[#out + 1] = "return (function(...) " .. read "sandbox" .. " end)(raw, parts)"
  text = table.concat(out, "\n")
  return text
end

return M
