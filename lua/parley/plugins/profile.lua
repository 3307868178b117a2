-- What a plugin spends its time and its memory on, for `parley plugin profile`: samples of its own
-- functions, and what it waits for at the door. Nothing of it is kept, and nothing of it costs
-- anything, when nobody asks.

local functions = require "parley.plugins.functions"
local json = require "host.json"
local switch = require "parley.plugins.switch"
local task = require "host.task"

local M = {}

local SECONDS_MAX = 10  -- of one request: whoever wants more asks again, and may go away meanwhile
local HARVEST_S = 0.25
local EVERY_US = 500    -- of the plugin's own time
local EVERY_BYTES = 8192
local STACKS = 4096
local ANSWER_MAX = 1024 * 1024 -- bytes of stacks in an answer
local LINES = 5000      -- of one report
local OTHER = "[other]"

local Recorder = {}
Recorder.__index = Recorder

local function recorder()
  return setmetatable({
    events = 0, event_seconds = 0, waits = {}, stacks = {}, count = 0,
  }, Recorder)
end

---A service of the door has answered.
function Recorder:waited(name, seconds)
  local w = self.waits[name] or { calls = 0, seconds = 0 }
  self.waits[name] = w
  w.calls, w.seconds = w.calls + 1, w.seconds + seconds
end

---An event was dealt with, in so many seconds from end to end.
function Recorder:event(seconds)
  self.events, self.event_seconds = self.events + 1, self.event_seconds + seconds
end

function Recorder:add(us, samples, bytes, line, stack)
  local key = line .. " " .. stack
  local s = self.stacks[key]
  if not s and self.count >= STACKS then
    key, line, stack = OTHER, 0, OTHER
    s = self.stacks[key]
  end
  if not s then
    s = { us = 0, samples = 0, bytes = 0, line = line, stack = stack }
    self.stacks[key], self.count = s, self.count + 1
  end
  s.us, s.samples, s.bytes = s.us + us, s.samples + samples, s.bytes + bytes
end

---Takes a report of a state. One of a confined process may be any bytes.
function Recorder:take(text)
  local lines = 0
  for us, samples, bytes, line, stack in
    text:gmatch "(%d+) (%d+) (%d+) (%d+) ([^\n]*)\n" do
    lines = lines + 1
    if lines > LINES then return end
    if #us + #samples + #bytes + #line < 60 and #stack < 4096 then
      self:add(tonumber(us), tonumber(samples), tonumber(bytes), tonumber(line),
        (stack:gsub("[^ -~]", "?")))
    end
  end
end

-- The stacks, the heaviest first; what does not fit into an answer is one of them.
local function stacks_of(self)
  local all, out, room = {}, json.array(), ANSWER_MAX
  for _, s in pairs(self.stacks) do all[#all + 1] = s end
  table.sort(all, function(a, b)
    if a.us ~= b.us then return a.us > b.us end
    if a.bytes ~= b.bytes then return a.bytes > b.bytes end
    if a.stack ~= b.stack then return a.stack < b.stack end
    return a.line < b.line
  end)
  local rest = { us = 0, samples = 0, bytes = 0, line = 0, stack = OTHER }
  for _, s in ipairs(all) do
    room = room - #s.stack - 80
    if room > 0 then
      out[#out + 1] = s
    else
      rest.us, rest.samples = rest.us + s.us, rest.samples + s.samples
      rest.bytes = rest.bytes + s.bytes
    end
  end
  if rest.samples > 0 or rest.bytes > 0 then out[#out + 1] = rest end
  return out
end

local function names_of(stacks, files)
  local name, out = functions.of(files), {}
  for _, s in ipairs(stacks) do
    for frame in s.stack:gmatch "[^;]+" do out[frame] = out[frame] or name(frame) end
  end
  return out
end

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "profile" }
end

local busy = {} -- names of plugins that are being looked at

-- The plugin of this name is sampled from here on, and not the one before; nil: none is.
local function turn_to(self, plugin)
  local before = self.plugin
  if plugin == before then return end
  self.plugin = plugin
  if before then
    before.driver:harvest()
    before.driver:sample(nil)
    before.profile = nil
  end
  if plugin then
    plugin.profile = self.recorder
    plugin.driver:sample(self.how)
  end
end

-- Takes in what was sampled, of what serves now: it may be another generation than a moment ago,
-- whose state is closed by then, with what was not taken in yet.
local function follow(self, core)
  while not self.over do
    local plugin = switch.find(core.manager.current, self.name)
    turn_to(self, plugin and plugin.driver.sample and plugin or nil)
    task.sleep(HARVEST_S)
    if self.plugin then self.plugin.driver:harvest() end
  end
  turn_to(self, nil)
end

local Look = {}
Look.__index = Look

---Ends it. It waits a moment.
---@return {events: integer, event_seconds: number, waits: table, stacks: table[], names: table}
function Look:stop()
  self.over = true
  self.follower:join()
  busy[self.name] = nil
  local r, stacks = self.recorder, stacks_of(self.recorder)
  return {
    events = r.events, event_seconds = r.event_seconds, waits = r.waits, stacks = stacks,
    names = names_of(stacks, self.files),
  }
end

---Begins to look at a plugin, in this worker.
---@param core table parley.core
---@param name string
---@param memory boolean|nil what it allocates, too
---@return table|nil look stop() it
---@return table|nil err
function M.begin(core, name, memory)
  local plugin, err = switch.find(core.manager.current, name)
  if not plugin then return nil, err end
  if not plugin.driver.sample then
    return refuse("not_supported", "'%s' is a REST plugin: its code runs somewhere else, and is "
      .. "profiled there; parley plugin top shows how long its answers take", name)
  end
  if busy[name] then return refuse("busy", "somebody else is profiling '%s'", name) end
  busy[name] = true
  local r = recorder()
  local self = setmetatable({
    name = name, recorder = r, files = plugin.driver.files,
    how = {
      every_us = EVERY_US, every_bytes = memory and EVERY_BYTES or nil,
      take = function(text) r:take(text) end,
    },
  }, Look)
  self.follower = task.spawn(follow, self, core)
  return self
end

---@class parley.ProfileRequest
---@field plugin string
---@field seconds number at most 10
---@field memory? boolean

---Looks at a plugin for a while.
---@param core table parley.core
---@param request parley.ProfileRequest
---@return table|nil result as stop() of begin
---@return table|nil err
function M.run(core, request)
  local look, err = M.begin(core, request.plugin, request.memory)
  if not look then return nil, err end
  task.sleep(math.min(request.seconds, SECONDS_MAX))
  return look:stop()
end

return M
