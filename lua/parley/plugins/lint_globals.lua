-- Assignments to globals, which the sandbox refuses when they are come to: mostly a `local` that
-- was forgotten in a branch that no spec goes through. The compiler knows them all.

local util = require "jit.util"

local M = {}

-- Constants that are no numbers count down from here, the functions inside among them.
local FIRST_CONSTANT = -1

local function operation(fn, pc)
  local instruction = util.funcbc(fn, pc)
  if not instruction then return nil end
  return instruction % 256, math.floor(instruction / 65536) % 65536
end

-- The number of the instruction that sets a global is another one in each version of the compiler:
-- of `x = 1` it is the one before the return.
local SET = operation(assert(loadstring "x = 1"), 2)

---Calls found(line, name) for each assignment to a global.
---@param source string that compiles
---@param found fun(line: integer, name: string)
function M.each(source, found)
  local chunk = load(source, "=source", "t")
  if not chunk then return end
  local function walk(fn)
    local pc = 1
    while true do
      local code, operand = operation(fn, pc)
      if not code then break end
      if code == SET then
        found(util.funcinfo(fn, pc).currentline, util.funck(fn, FIRST_CONSTANT - operand))
      end
      pc = pc + 1
    end
    local i = FIRST_CONSTANT
    while true do
      local constant = util.funck(fn, i)
      if constant == nil then break end
      if type(constant) == "proto" then walk(constant) end
      i = i - 1
    end
  end
  walk(chunk)
end

return M
