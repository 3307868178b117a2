-- The Lua driver: a plugin folder in a sandboxed state of its own.
--
-- Several events may be in one state at a time, each a task that waits at the door; a state that
-- was stopped by force is replaced before the next event enters, one that was closed to save memory
-- (parley.plugins.pool) comes back with it.

local lua_state = require "parley.plugins.lua_state"
local pool = require "parley.plugins.pool"
local task = require "host.task"

local M = {}
M.__index = M

local BUILD_S = 5 -- for a state that another event builds

local drive = lua_state.drive

-- One event builds the state, the others wait for it. It is checked once: a state that takes the
-- place of another one has the same code.
local function build(self, asked)
  local built = task.cond()
  self.building = built
  local good, sb, err = pcall(lua_state.build, self.manifest, self.files,
    not self.checked and { config = self.config } or nil)
  if self.building == built then self.building = nil end
  built:broadcast()
  if not good then error(sb, 0) end
  if not sb then return nil, err end
  if self.state then self:close() end -- of one that has waited too long for this one
  self.state, self.checked = sb, true
  pool.add(self, sb:stats().memory, asked)
  return sb
end

-- A state to enter: the one there is, or a new one. `asked` is false when it is only checked.
local function state_of(self, asked)
  while self.building do
    -- One whose task was cancelled meanwhile never tells.
    if not self.building:wait(BUILD_S) then self.building = nil end
  end
  local sb = self.state
  if not sb then return build(self, asked) end
  local stats = sb:stats()
  if stats.broken then
    self:close()
    return build(self, asked)
  end
  pool.touch(self, stats.memory)
  return sb
end

---Loads a plugin; the state is built at once, so that a broken one is refused here.
---@param manifest table checked, limits filled
---@param files {main: string, lib: table<string, string>}
---@param how {config: table|nil, later: boolean|nil}|nil config: the operator's settings of the
---  plugin; without them its self check is not run. later: its code does not run before its first
---  event: it is disabled
---@return table|nil driver
---@return table|nil PluginError
function M.new(manifest, files, how)
  local self = setmetatable({ manifest = manifest, files = files }, M)
  self.config = how and how.config
  if how and how.later then return self end
  local sb, err = state_of(self, false)
  if not sb then return nil, err end
  return self
end

---Calls the plugin once.
---@param request table InvokeRequestV1
---@param serve fun(name: string, ...): any the gate's door for this invocation
---@return table|nil response, not yet validated
---@return table|nil PluginError
function M:invoke(request, serve)
  local m = self.manifest
  local sb, err = state_of(self, true)
  if not sb then return nil, err end
  local timeout = math.min(m.limits.timeout_ms, request.deadline_ms or m.limits.timeout_ms) / 1000
  local kind, value = drive(serve, sb:start("dispatch", m.limits.cpu_ms, timeout, request))
  if kind == "error" then return nil, lua_state.error(value, m.name) end
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
  local sb, err = state_of(self, true)
  if not sb then return nil, err end
  local how, value = drive(lua_state.log_only(m.name), sb:start("migrate", m.limits.cpu_ms,
    m.limits.timeout_ms / 1000, data, from, m.data_version, kind, job))
  if how == "error" then return nil, lua_state.error(value, m.name) end
  return value
end

---What the plugin registered: {commands, intents, patterns, callbacks, jobs, events, migrate}.
function M:describe()
  local sb, err = state_of(self, true)
  if not sb then return nil, err end
  return lua_state.describe(sb, self.manifest.name)
end

---@return {memory: integer} of the state; 0 when there is none
function M:stats()
  return self.state and self.state:stats() or { memory = 0 }
end

---Gives the memory of the state back; the next event gets a new one. For parley.plugins.pool.
function M:close_state()
  self.state:close()
  self.state = nil
end

function M:close()
  pool.remove(self)
  if self.state then self:close_state() end
end

return M
