-- The fuzzer of programs (fuzz/lib/hunt.lua says how it is called).

local fs = require "host.fs"
local json = require "host.json"
local rig = require "fuzz.programs.rig"
local time = require "host.time"

local ROUND = 32   -- programs between two looks at the clock
local CLEAR = 10   -- rounds between two looks for what is left

local mode, seed, first, dir = ...

local function path_of(number) return ("%s/%d.lua"):format(dir, number) end

-- The header names what a state had seen before; whoever looks into a failure may want it.
local function write(number, source)
  local f = assert(io.open(path_of(number), "wb"))
  f:write(("-- seed %s, program %d\n"):format(seed, number), source)
  f:close()
end

local function say(r, number)
  local counts = { programs = r.programs, states = r.states, probes = r.checks,
    ["asked neighbour"] = r.neighbour.asked }
  for code, n in pairs(r.counts) do counts["ended " .. code] = n end
  print(("at %d %s"):format(number, json.encode(counts)))
  io.stdout:flush()
end

local function search()
  local r = rig.new {
    seed = tonumber(seed), before = write, after = function(n) fs.remove(path_of(n)) end,
  }
  local number, rounds, spoke = tonumber(first), 0, time.mono()
  while true do
    r:round(number, number + ROUND - 1)
    number, rounds = number + ROUND, rounds + 1
    if rounds % CLEAR == 0 then r:check_leaks() end
    if time.mono() - spoke > 0.5 then
      spoke = time.mono()
      say(r, number)
    end
  end
end

local function replay(path)
  local source = assert(fs.read(path))
  local s, number = source:match "^%-%- seed (%d+), program (%d+)"
  local r = rig.new { seed = tonumber(s or 1) }
  r:run(tonumber(number or 1), source)
  r:check_leaks()
  r:close()
end

if mode == "replay" then return replay(seed) end
return search()
