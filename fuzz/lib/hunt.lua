-- Runs a fuzzer of this folder in a process of its own, over and over until the time is up: what it
-- does may end it. The case under way is a file, so that it is still there afterwards; it is run
-- again alone, made smaller while it fails in the same way, and kept.
--
-- A fuzzer is fuzz/NAME/run.lua (fuzz/lib/search.lua does most of it):
--   run.lua search SEED FIRST DIR  writes each case to DIR/NUMBER.lua, runs it, takes it away; at
--                                  least every second prints "at NUMBER" and how cases have ended
--   run.lua replay FILE            runs one case; ends with 1 when something does not hold

local fs = require "host.fs"
local json = require "host.json"
local minimise = require "fuzz.lib.minimise"
local process = require "host.process"
local temporary = require "parley.util.temporary"
local time = require "host.time"

local M = {}

local EXE = fs.realpath "/proc/self/exe"
local SILENCE = 20       -- seconds without a line: it hangs
local REPLAY = 5         -- seconds for one case
local MINIMISING = 60    -- seconds for one failure
local FAILURES = 20      -- of one hunt, then it ends: it would find the same again and again

-- What kind of failure an end is; nil for none. Numbers differ from run to run.
local function class_of(status, errors)
  if not status then return "hang" end
  if status.signal then return "signal " .. status.signal end
  if status.code == 0 then return nil end
  local said = errors:match "ERROR: (%w+Sanitizer: [%w%-]+)"
    or errors:match "runtime error: [^\n]+" or errors:match "case %d+: [^\n\"\\]+"
    or errors:match "[^\n]*"
  return (said:gsub("%d+", "#"))
end

local function spawn(script, ...)
  return assert(process.spawn {
    argv = { EXE, "lua", script, ... }, max_buffer = 16 * 1024 * 1024,
    env = { ASAN_OPTIONS = "handle_abort=0:allocator_may_return_null=1" },
  })
end

local function ended(child, seconds)
  local status = child:wait(seconds)
  if not status then child:kill "KILL" end
  local errors = child:read_err(nil, 5) or ""
  child:close()
  return class_of(status, errors), errors
end

-- Runs one case: the class of its failure, and what it has written.
local function replay(script, path) return ended(spawn(script, "replay", path), REPLAY) end

-- What is in the folder: the cases that were under way.
local function cases(dir)
  local out = {}
  for _, file in ipairs(fs.list(dir)) do
    local number, text = tonumber(file:match "^(%d+)%.lua$"), fs.read(dir .. "/" .. file)
    fs.remove(dir .. "/" .. file)
    if number and text and text ~= "" then out[#out + 1] = { number = number, text = text } end
  end
  table.sort(out, function(a, b) return a.number < b.number end)
  return out
end

local Hunt = {}
Hunt.__index = Hunt

-- Keeps the case that fails alone, as small as it gets; else all of them, as they were.
function Hunt:keep(found, class, errors)
  local probe = self.dir .. "/probe"
  assert(fs.write(probe .. ".errors", errors))
  local saved = {}
  for _, case in ipairs(found) do
    local path = ("build/fuzz/%s-%d-%d.lua"):format(self.name, self.seed, case.number)
    assert(fs.write(path, case.text))
    saved[#saved + 1] = path
    local again = replay(self.script, path)
    if again then
      local deadline = time.mono() + MINIMISING
      local small = minimise.run(case.text, function(text)
        if time.mono() > deadline then return false end
        assert(fs.write(probe, text))
        return replay(self.script, probe) == again
      end)
      assert(fs.write(path, small))
      print(("  %s: %s\n%s"):format(path, again, small:gsub("[^\n]+", "    %0")))
      return
    end
  end
  print(("  %s; none of these fails alone: %s\n%s"):format(class, table.concat(saved, " "),
    errors:sub(1, 4000)))
end

-- One process until it ends or the time is up. Returns the number to go on with.
function Hunt:search(first)
  local child = spawn(self.script, "search", tostring(self.seed), tostring(first), self.dir)
  local at = first
  while time.mono() < self.deadline do
    local left = math.max(0.01, self.deadline - time.mono())
    local line, err = child:read_line(math.min(SILENCE, left))
    local number, counts = (line or ""):match "^at (%d+) (.*)$"
    if number then
      at, self.counts = tonumber(number), json.decode(counts)
    elseif err and (err.code ~= "timeout" or time.mono() < self.deadline) then
      local class, errors = ended(child, err.code == "timeout" and 0.001 or 5)
      class = class or "ended by itself"
      self.failures = self.failures + 1
      print(("FAILURE after case %d: %s"):format(at, class))
      local found = cases(self.dir)
      self:keep(found, class, errors)
      self:add_counts()
      return (found[#found] and found[#found].number or at) + 1
    end
  end
  child:kill "KILL"
  child:close()
  self:add_counts()
end

function Hunt:add_counts()
  for key, n in pairs(self.counts) do self.total[key] = (self.total[key] or 0) + n end
  self.counts = {}
end

---@param name string of a folder here, or the path of another script that is called so
---@param seed integer
---@param seconds number
---@return integer failures
function M.run(name, seed, seconds)
  local script = name:find "/" and name or ("fuzz/%s/run.lua"):format(name)
  name = name:match "([^/]+)%.lua$" or name
  assert(fs.mkdir "build/fuzz")
  local self = setmetatable({
    name = name, script = script, seed = seed, dir = assert(temporary.folder()), deadline = time.mono() + seconds,
    failures = 0, counts = {}, total = {},
  }, Hunt)
  local number = 1
  while number and time.mono() < self.deadline and self.failures < FAILURES do
    number = self:search(number)
  end
  temporary.remove(self.dir)
  local keys = {}
  for key in pairs(self.total) do keys[#keys + 1] = key end
  table.sort(keys)
  print(("%s, seed %d, %d s:"):format(name, seed, seconds))
  for _, key in ipairs(keys) do print(("  %-18s %9d"):format(key, self.total[key])) end
  print(("  %-18s %9d"):format("FAILURES", self.failures))
  return self.failures
end

return M
