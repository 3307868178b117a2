-- Runs programs in the sandboxed states of a plugin, as the driver does, and checks after each
-- what must hold whatever the program has done.
--
-- A state holds the SDK and a small plugin, whose handlers call what programs have put into a table
-- that they share. A program is one more chunk in it; then events are dispatched, several at a time.

local chance = require "fuzz.lib.chance"
local door = require "fuzz.programs.door"
local fs = require "host.fs"
local grammar = require "fuzz.programs.grammar"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local neighbour = require "fuzz.programs.neighbour"
local side_by_side = require "fuzz.lib.side_by_side"
local task = require "host.task"

local M = {}
M.__index = M

local FILES = {
  main = assert(fs.read "fuzz/programs/plugin.lua"),
  lib = { shared = "return { n = 0 }", probe = assert(fs.read "fuzz/programs/probe.lua") },
}

local MANIFEST = [[{"schema":"v1alpha","name":"fuzzed","version":"1.0.0","api":"1",
  "transport":"lua","limits":{"memory_mb":%d}}]]

-- The cap is lifted while the host itself pushes something: a coroutine, a message, moved values.
local SLACK = 64 * 1024

-- How a call may end. Those that stop it break the state; one that has waited for its first slice,
-- or for an answer at the door, until its time was up has not changed anything.
local STOPS = { cpu_limit = true, memory_limit = true }
local CODES = {
  done = true, exception = true, syntax = true, too_large = true, invalid = true,
  invalid_response = true, cancelled = true, disabled = true, cpu_limit = true,
  memory_limit = true, timeout = true,
}

local EVENTS = {
  { event = { type = "message", message = { type = "text", text = "hello" } } },
  { event = { type = "message", message = { type = "text", text = "/go a b" } } },
  { event = { type = "callback", message = { payload = { data = { a = 1 } } } } },
  { event = { type = "job", job = "ring", data = { 1, 2 } } },
}

---@param options {seed: integer, before: fun(number: integer, source: string)|nil,
---  after: fun(number: integer)|nil, ring: string|nil}
---@return fuzz.Rig `counts` says how the calls have ended
function M.new(options)
  local self = setmetatable({
    seed = options.seed, before = options.before or function() end,
    after = options.after or function() end, counts = {}, programs = 0, states = 0, kept = {},
    checks = 0, ring = options.ring,
  }, M)
  self.neighbour = neighbour.new(self:load(1))
  self.start = task.stats()
  return self
end

---A state with the SDK and the plugin.
---@param megabytes integer
function M:load(megabytes)
  local m = assert(manifest.check(MANIFEST:format(megabytes)))
  local driver = assert(lua_driver.new(m, FILES, { ring = self.ring }))
  self.states = self.states + 1
  return { driver = driver, sb = driver.state, uses = 0 }
end

local function fail(number, fmt, ...)
  error(("case %d: %s"):format(number, fmt:format(...)), 0)
end

local function count(self, number, outcome)
  local known = CODES[outcome] or (outcome == "crashed" and self.ring == "isolated")
  if not known then fail(number, "ended in an unknown way: %s", tostring(outcome)) end
  self.counts[outcome] = (self.counts[outcome] or 0) + 1
end

-- One call to its end.
local function call(self, number, state, random, slot, ...)
  local serve = door.new(random)
  local cpu = random:one_of { 1, 2, 5, 10, 20 }
  local timeout = random:one_of { 0.002, 0.05, 0.2, 0.2 }
  local r = { state.sb:start(slot, cpu, timeout, ...) }
  while r[1] == "door" do
    local handle = r[2]
    local answer = serve(unpack(r, 3, 20))
    if answer == "stop" then
      handle:stop "not needed any more"
      r = { "error", { code = "cancelled", message = "stopped", retryable = false } }
    else
      r = { handle:answer(unpack(answer, 1, answer.n)) }
    end
  end
  if r[1] == "error" then
    local e = r[2]
    if type(e) ~= "table" or type(e.message) ~= "string" or type(e.code) ~= "string" then
      fail(number, "an error without code and message")
    end
    count(self, number, e.code)
    if STOPS[e.code] and not state.sb:stats().broken then
      fail(number, "stopped by %s, and its state is not broken", e.code)
    end
  elseif r[1] == "done" then
    count(self, number, "done")
  else
    fail(number, "neither done nor error: %s", tostring(r[1]))
  end
end

-- What must hold when all calls of a state have ended.
local function check(self, number, state)
  local stats = state.sb:stats()
  if stats.peak > stats.limit + SLACK then
    fail(number, "%d bytes used, %d allowed", stats.peak, stats.limit)
  end
  if stats.broken then
    local kind, e = state.sb:start("dispatch", 100, 1, EVENTS[1])
    if kind ~= "error" or e.code ~= "disabled" then
      fail(number, "a broken state was entered: %s %s", kind, kind == "error" and e.code or "")
    end
    return
  end
  self.checks = self.checks + 1
  local kind, problem = state.sb:start("probe", 1000, 10)
  if kind == "error" and state.sb:stats().broken and problem.code == "memory_limit" then
    return -- a program that has left no room for one more call
  end
  if kind ~= "done" then
    fail(number, "the probe did not end: %s", kind == "error" and problem.message or kind)
  end
  if problem then fail(number, "the sandbox has changed: %s", problem) end
end

-- A state from the shelf, or a new one.
local function take(self, random)
  if #self.kept > 0 and not random:one_in(3) then return table.remove(self.kept) end
  local state = self:load(random:one_of { 1, 1, 2, 4 })
  assert(state.sb:compile("probe", "return require('probe')()", "=probe"))
  return state
end

local function put_back(self, state)
  state.uses = state.uses + 1
  if state.sb:stats().broken or state.uses > 20 or #self.kept > 8 then
    state.driver:close()
  else
    self.kept[#self.kept + 1] = state
  end
end

---Runs one program and the events after it. Raises when something does not hold.
---@param number integer
---@param source string|nil default: what the grammar makes of the number
function M:run(number, source)
  local random = chance.new(self.seed + 1, number)
  source = source or grammar.program(self.seed, number)
  self.before(number, source)
  local state = take(self, random)
  self.programs = self.programs + 1
  local ok, err = state.sb:compile("program", source, "=program")
  if ok then
    call(self, number, state, random, "program")
  else
    count(self, number, err.code)
  end
  local tasks = {}
  for i = 1, random:int(0, 3) do
    local own = chance.new(self.seed + 1 + i, number)
    tasks[i] = task.spawn(call, self, number, state, own, "dispatch", own:one_of(EVENTS))
    if own:one_in(8) then tasks[i]:cancel() end
  end
  for _, handle in ipairs(tasks) do
    local good, problem = handle:join(20)
    if good == nil and problem.code == "timeout" then fail(number, "a call has not ended") end
    if good == false and type(problem) == "string" then error(problem, 0) end
  end
  check(self, number, state)
  put_back(self, state)
  self.after(number)
end

---Runs programs side by side, while a neighbour asks its own state for what it knows.
---@param first integer
---@param last integer
function M:round(first, last)
  side_by_side(first, last, function(number)
    self:run(number)
    self.neighbour:ask()
  end)
end

---@return table<string, integer>
function M:numbers()
  local out = {
    programs = self.programs, states = self.states, probes = self.checks,
    ["asked neighbour"] = self.neighbour.asked,
  }
  for code, n in pairs(self.counts) do out["ended " .. code] = n end
  return out
end

---Nothing of all that has run is left.
function M:check_leaks()
  for _, state in ipairs(self.kept) do state.driver:close() end
  self.kept = {}
  task.sleep(0)
  -- What has ended last is still on the C stack that has woken us; the handles of calls that were
  -- cancelled hold their state until they are collected.
  task.sleep(0.001)
  collectgarbage()
  collectgarbage()
  local now = task.stats()
  for _, what in ipairs { "tasks", "ops", "states" } do
    if now[what] > self.start[what] then
      error(("%d %s before, %d now"):format(self.start[what], what, now[what]), 0)
    end
  end
end

function M:close()
  self.neighbour:close()
end

return M
