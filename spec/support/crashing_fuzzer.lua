-- A fuzzer whose 70th case ends the process.

local ffi = require "ffi"
local grammar = require "fuzz.programs.grammar"
local search = require "fuzz.lib.search"
local task = require "host.task"

local BOOM = "do\n  local x = 1\n  boom()\nend\n"

local M = {}
M.__index = M

function M:run(number, source)
  source = source or grammar.program(self.seed, number) .. (number == 70 and BOOM or "")
  if self.before then self.before(number, source) end
  if source:find("boom", 1, true) then ffi.cast("int *", 8)[0] = 1 end
  if self.after then self.after(number) end
end

function M:round(first, last)
  for number = first, last do self:run(number) end
  task.sleep(0.01)
end

function M.check_leaks() end
function M.numbers() return { cases = 1 } end
function M.close() end

return search.run(function(options) return setmetatable(options, M) end, ...)
