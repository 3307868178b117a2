-- The journal of a conversation: what has crossed the door since it began.
--
-- A conversation is straight-line code that waits for people. Nothing of its stack is kept while it
-- waits: with the next message it is run again from its beginning, and each call gets from the
-- journal what it got before, until the journal ends; from there on it is live. Between two
-- messages the clock stands still and chance comes from a seed, so that a second run takes the same
-- way. One that does not is found out by the names of its calls, and refused.

local door, call_id, moments = host, call_id, moments
local clock_ms, array_mt, check = clock_ms, array_mt, parley.check

local M = {}
local Player = {}
Player.__index = Player

local BYTES_MAX = 49152 -- of the 64 KB that a session has
local ENTRIES_MAX = 1000
local NAME_MAX = 80

local DEPENDS = ". What it does must depend on nothing but answers, services, os.time and "
  .. "math.random; keep no state in variables outside it"

local players = {} -- by the number of the call

-- The same answer every time.
local PURE = { ["json.encode"] = true, ["json.decode"] = true }

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for key, item in pairs(v) do out[key] = copy(item) end
  if getmetatable(v) then setmetatable(out, array_mt) end -- what crosses the door has no other
  return out
end
M.copy = copy

-- About what a value takes as JSON.
local function size(v)
  if type(v) == "string" then return #v + 3 end
  if type(v) ~= "table" then return 8 end
  local n = 2
  for key, item in pairs(v) do n = n + size(key) + size(item) end
  return n
end

M.size = size

-- What a call is known by: its service, and what it was asked for.
local function named(service, first, second)
  if type(first) == "table" then
    if first.method then first, second = first.method, first.url else first = first.url end
  end
  local out = service
  if type(first) == "string" then out = out .. " " .. first end
  if type(second) == "string" then out = out .. " " .. second end
  return out:sub(1, NAME_MAX)
end

-- Chance that comes again: Park and Miller, "Random number generators: good ones are hard to
-- find" (1988), with the multiplier 16807.
local function chance(seed)
  local x = 1
  for i = 1, #seed do x = (x * 31 + seed:byte(i)) % 2147483647 end
  if x == 0 then x = 1 end
  return function(low, high)
    x = x * 16807 % 2147483647
    local r = (x - 1) / 2147483646
    if low == nil then return r end
    if high == nil then low, high = 1, low end
    if type(low) ~= "number" or type(high) ~= "number" or low > high then
      error("bad argument to 'random' (interval is empty)", 2)
    end
    return math.floor(r * (math.floor(high) - math.floor(low) + 1)) + math.floor(low)
  end
end

---@param log table[] entries so far
---@param seed string
---@param ms number when it began
---@return table player
function M.player(log, seed, ms)
  local self = setmetatable({ log = log, at = 0, bytes = size(log) }, Player)
  self.moment = { ms = ms, random = chance(seed) }
  return self
end

---Whether everything that the journal has was seen again.
function Player:is_live() return self.at == #self.log end

function Player:refuse(fmt, ...)
  self.broken = self.broken or check.position() .. fmt:format(...)
  error(self.broken, 0)
end

-- The next entry, which must be of what is asked for now.
function Player:next(name)
  if self.broken then error(self.broken, 0) end -- somebody has caught the first one
  local entry = self.log[self.at + 1]
  local had = entry.s or entry.e
  if had ~= name then
    self:refuse("the conversation cannot go on: it now comes to '%s', and came to '%s' before%s",
      name, had, self.moved and "" or DEPENDS)
  end
  self.at = self.at + 1
  return entry
end

---Whether there is more in it than may be kept.
---@return string|nil problem
function Player:problem()
  if self.bytes <= BYTES_MAX and #self.log <= ENTRIES_MAX then return nil end
  return ("the conversation has kept more than %d KB or %d steps since it began: let it end, and "
    .. "begin another one"):format(BYTES_MAX / 1024, ENTRIES_MAX)
end

---Writes down what happens now.
function Player:append(entry)
  local log = self.log
  self.bytes = self.bytes + size(entry)
  log[#log + 1] = entry
  self.at = #log
  local problem = self:problem()
  if problem then self:refuse("%s", problem) end
end

---The result of a call: of the journal, or of fn(...), which is kept.
---@param name string what the call is known by
---@return any value
---@return any err
function Player:record(name, fn, ...)
  if not self:is_live() then
    local entry = self:next(name)
    return copy(entry.a), copy(entry.b)
  end
  local a, b = fn(...)
  self:append { s = name, a = copy(a), b = copy(b) }
  return a, b
end

---Runs fn with this journal, for this call and all coroutines that it makes.
---@return boolean ok as of pcall
---@return any ...
function Player:run(fn, ...)
  local id = call_id()
  local function done(...)
    players[id], moments[id] = nil, nil
    return ...
  end
  players[id], moments[id] = self, self.moment
  return done(pcall(fn, ...))
end

---@return table|nil player of the conversation that runs in this call
function M.current() return players[call_id()] end

-- The door, for the SDK that is loaded after this.
function host(service, ...)
  local player = players[call_id()]
  if not player or PURE[service] then return door(service, ...) end
  if service == "log" then
    if player:is_live() then return door(service, ...) end
    return true
  end
  return player:record(named(service, ...), door, service, ...)
end

M.now_ms = clock_ms
parley.journal = M
