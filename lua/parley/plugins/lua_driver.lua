-- The Lua driver: a plugin folder in a sandboxed state of its own, in the worker or in a confined
-- process (parley.plugins.ring).
--
-- Several events may be in one state at a time, each a task that waits at the door; a state that
-- was stopped by force, or whose process has ended, is replaced before the next event enters, one
-- that was closed to save memory (parley.plugins.pool) comes back with it.

local lua_state = require "parley.plugins.lua_state"
local pool = require "parley.plugins.pool"
local task = require "host.task"

local M = {}
M.__index = M

local BUILD_S = 30 -- for a state that is being built
local PROCESS = 2 * 1024 * 1024
local CRASHES = 3 -- of its process in a row, none of which has brought an event to its end

local drive = lua_state.drive

-- What a state takes: a process has pages of its own beside what is in it.
local function memory_of(self, heap) return heap + (self.ring == "isolated" and PROCESS or 0) end

-- Bytes of the state's heap; nil when it cannot be used any more.
local function heap_of(self)
  if self.ring == "trusted" then return self.state:usable() end
  local stats = self.state:stats()
  return not stats.broken and stats.memory or nil
end

-- Takes what was sampled in the state so far, and has it sampled on. A state that is being closed
-- has nothing to tell.
local function harvest(self)
  local how, sb = self.profiling, self.state
  if not how or not sb then return end
  local good, text = pcall(sb.profile, sb, how.every_us, how.every_bytes)
  if good and text then how.take(text) end
end

-- It is checked once: a state that takes the place of another one has the same code.
local function build(self, asked, shared)
  local sb, err = lua_state.build(self.manifest, self.files, {
    ring = self.ring, precompile = shared,
    checks = not self.checked and { config = self.config } or nil,
  })
  if not sb then return nil, err end
  self:forget_state()
  self.state, self.checked = sb, true
  harvest(self)
  pool.add(self, memory_of(self, sb:stats().memory), asked)
  return sb
end

-- Builds the state anew, unless that is going on: in a task of its own, because whoever needs the
-- state first may be cancelled while others wait for it, too.
local function rebuild(self)
  self.building = self.building or task.spawn(function()
    local good, sb, err = pcall(build, self, true)
    self.building = nil
    if not good then error(sb, 0) end
    return sb, err
  end)
  return self.building
end

-- A state to enter: the one there is, or a new one in the place of one that cannot be used.
local function state_of(self)
  local heap = self.state and heap_of(self)
  if heap then
    pool.touch(self, memory_of(self, heap))
    return self.state
  end
  local done, sb, err = rebuild(self):join(BUILD_S)
  if done then return sb, err end
  err = type(sb) == "table" and sb or err or { code = "exception", message = tostring(sb) }
  return nil, lua_state.error(err, self.manifest.name)
end

-- A process that has ended is replaced at once: the next event need not wait for it.
local function replace(self)
  if self.ring == "isolated" and self.state and self.state:stats().broken then rebuild(self) end
end

-- Counts the processes that have crashed with an event of the plugin in them; `sb` is the one that
-- the event was in. A version on trial, and one that a conversation keeps to, have a name of their
-- own (label): what they do says nothing about the plugin that serves.
local function note_crash(self, sb, err)
  if err.cause ~= "crashed" then
    self.crashes = 0
    return
  end
  if self.crashed ~= sb then
    self.crashed, self.crashes = sb, (self.crashes or 0) + 1
  end
  err.critical = self.crashes >= CRASHES and not self.manifest.label
end

---@class parley.LuaDriverOptions
---@field config table|nil the operator's settings of the plugin; without them its self check is not
---  run
---@field later boolean|nil its code does not run before its first event: it is disabled
---@field ring "trusted"|"isolated"|nil default: trusted
---@field precompile parley.Precompile|nil where its sources are compiled first

---Loads a plugin; the state is built at once, so that a broken one is refused here. It waits.
---@param manifest table checked, limits filled
---@param files {main: string, lib: table<string, string>}
---@param how parley.LuaDriverOptions|nil
---@return table|nil driver
---@return table|nil PluginError
function M.new(manifest, files, how)
  how = how or {}
  local self = setmetatable({
    manifest = manifest, files = files, ring = how.ring or "trusted", config = how.config,
  }, M)
  if how.later then return self end
  local sb, err = build(self, false, how.precompile)
  if not sb then return nil, err end
  return self
end

---Calls the plugin once.
---@param request table InvokeRequestV1
---@param serve fun(name: string, ...): any the gate's door for this invocation
---@return table|nil response, not yet validated
---@return table|nil PluginError `critical`: its process has crashed again and again
function M:invoke(request, serve)
  local m = self.manifest
  local sb, err = state_of(self)
  if not sb then return nil, err end
  local timeout = math.min(m.limits.timeout_ms, request.deadline_ms or m.limits.timeout_ms) / 1000
  local kind, value = drive(serve, sb:start("dispatch", m.limits.cpu_ms, timeout, request))
  if kind == "error" then
    harvest(self) -- a state that was stopped by force is replaced
    err = lua_state.error(value, m.name)
    note_crash(self, sb, err)
    replace(self)
    return nil, err
  end
  self.crashes = 0
  return value
end

---Brings data of an older version to that of the manifest, by the plugin's own steps. Nothing of
---the host is there but the log.
---@param data any JSON
---@param from integer the version of the data, older than that of the manifest
---@param kind "session"|"job"
---@param job string|nil
---@return any data nil: see err
---@return table|nil PluginError
function M:migrate(data, from, kind, job)
  local m = self.manifest
  local sb, err = state_of(self)
  if not sb then return nil, err end
  local how, value = drive(lua_state.log_only(m.name), sb:start("migrate", m.limits.cpu_ms,
    m.limits.timeout_ms / 1000, data, from, m.data_version, kind, job))
  if how == "error" then return nil, lua_state.error(value, m.name) end
  return value
end

---What the plugin registered: {commands, intents, patterns, callbacks, jobs, events, migrate}.
function M:describe()
  local sb, err = state_of(self)
  if not sb then return nil, err end
  return lua_state.describe(sb, self.manifest.name)
end

---@return {memory: integer, pid: integer|nil} of the state; 0 when there is none
function M:stats()
  return self.state and self.state:stats() or { memory = 0 }
end

---@class parley.Profiling
---@field every_us integer microseconds between samples
---@field every_bytes integer|nil bytes allocated between samples; nil: none of these
---@field take fun(text: string) what was sampled, as host/engine/profile.h says it

---Has its states sampled from here on, nil: no more. What was sampled comes when it is asked for,
---and before a state goes that was stopped. It waits.
---@param how parley.Profiling|nil
function M:sample(how)
  if self.profiling and not how and self.state then pcall(self.state.profile, self.state) end
  self.profiling = how
  harvest(self)
end

---Hands over what was sampled since the last time. It waits.
function M:harvest() harvest(self) end

---Gives the memory of the state back; the next event gets a new one. For parley.plugins.pool.
function M:close_state()
  self.state:close()
  self.state = nil
end

---Closes the state, if there is one, and takes it out of the pool.
function M:forget_state()
  pool.remove(self)
  if self.state then self:close_state() end
end

---Calls under way finish first.
function M:close()
  if self.building then self.building:cancel() end
  self.building = nil
  self:forget_state()
end

return M
