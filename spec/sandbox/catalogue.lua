-- The attacks and the legitimate programs, class by class: one small file of data for each.

local M = {}

local ATTACKS = {
  "globals", "environments", "metatables", "source", "coroutines", "errors", "strings", "patterns", "tables", "numbers",
  "time", "memory", "cpu", "recursion", "stack", "door", "calls",
}

local PROGRAMS = { "language", "text", "data", "objects", "coroutines", "errors", "door", "limits" }

local function load_all(folder, names)
  local out = {}
  for _, name in ipairs(names) do
    out[#out + 1] = { name = name, cases = require("spec.sandbox." .. folder .. "." .. name) }
  end
  return out
end

---@return {name: string, cases: table[]}[]
function M.attacks() return load_all("attacks", ATTACKS) end

---@return {name: string, cases: table[]}[]
function M.programs() return load_all("programs", PROGRAMS) end

return M
