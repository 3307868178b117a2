-- parley lua spec/sandbox/one_by_one.lua CONTROL FIRST: makes the attacks of the catalogue from number FIRST on against a
-- control (spec/sandbox/controls.lua), until one succeeds: what that has left behind must not make the next one easier. A
-- line with the number before each attack, "held" or "fell" and why after it: whoever has started it sees where it ended.

local arena = require "spec.sandbox.arena"
local catalogue = require "spec.sandbox.catalogue"
local controls = require "spec.sandbox.controls"

local control, first = ...
local place = arena.new(controls[control])
local n = 0

local function say(...)
  io.write(...)
  io.write "\n"
  io.flush()
end

for _, class in ipairs(catalogue.attacks()) do
  for _, attack in ipairs(class.cases) do
    n = n + 1
    if n >= tonumber(first) then
      say("#", n)
      local ok, problem = pcall(place.try, place, attack)
      if not ok or problem then
        say("fell ", (tostring(problem):gsub("%c", " "):sub(1, 300)))
        return
      end
      say "held"
    end
  end
end
