-- The two ways that a fuzzer is run by fuzz/lib/hunt.lua, for a rig that knows how to run one case.

local fs = require "host.fs"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@class fuzz.Rig
---@field seed integer
---@field round fun(self, first: integer, last: integer) runs cases; raises when something is wrong
---@field run fun(self, number: integer, source: string|nil) runs one
---@field check_leaks fun(self) raises when something is left of all that has run
---@field numbers fun(self): table<string, integer> what to report
---@field close fun(self)

local ROUND = 32   -- cases between two looks at the clock
local CLEAR = 10   -- rounds between two looks for what is left

local function search(make, seed, first, dir)
  local function path_of(number) return ("%s/%d.lua"):format(dir, number) end
  local r = make {
    seed = seed,
    before = function(number, source)
      local f = assert(io.open(path_of(number), "wb"))
      f:write(("-- seed %d, case %d\n"):format(seed, number), source)
      f:close()
    end,
    after = function(number) fs.remove(path_of(number)) end,
  }
  local number, rounds, spoke = first, 0, time.mono()
  while true do
    r:round(number, number + ROUND - 1)
    number, rounds = number + ROUND, rounds + 1
    if rounds % CLEAR == 0 then r:check_leaks() end
    if time.mono() - spoke > 0.5 then
      spoke = time.mono()
      print(("at %d %s"):format(number, json.encode(r:numbers())))
      io.stdout:flush()
    end
  end
end

local function replay(make, path)
  local source = assert(fs.read(path))
  local seed, number = source:match "^%-%- seed (%d+), case (%d+)"
  local r = make { seed = tonumber(seed or 1) }
  r:run(tonumber(number or 1), source)
  r:check_leaks()
  r:close()
end

---@param make fun(options: {seed: integer, before: function|nil, after: function|nil}): fuzz.Rig
---@param mode "search"|"replay"
---@param what string the seed, or the file
---@param first string|nil number of the first case
---@param dir string|nil where the cases under way are kept
function M.run(make, mode, what, first, dir)
  if mode == "replay" then return replay(make, what) end
  return search(make, tonumber(what), tonumber(first), dir)
end

return M
