-- The Lua driver: a plugin folder in a sandboxed state of its own.
--
-- Several events may be in one state at a time, each a task that waits at the door; a state that
-- was stopped by force is replaced before the next event enters.

local fs = require "host.fs"
local log = require "parley.ops.log"
local sandbox = require "host.sandbox"
local task = require "host.task"

local M = {}
M.__index = M

local CHECK_CPU_MS, CHECK_S = 200, 2 -- of a self check
local DESCRIBE_CPU_MS, DESCRIBE_S = 50, 1
local LOAD_S = 5 -- that somebody waits for a state which is being loaded
local CHECK_LINES, CHECK_LINE_MAX = 20, 2000 -- that it may write to the log

-- The SDK, in the order it is loaded into each state.
local SDK = { "context", "text", "init" }

-- Trusted sources, read once per process: every state is built from the same bytes.
local sources = {}

local function source(path)
  if not sources[path] then
    local text, err = fs.read(fs.data_dir() .. "/lua/parley/" .. path)
    if not text then error("cannot read the SDK: " .. err.message) end
    sources[path] = text
  end
  return sources[path]
end

-- Lua's codes and the contract's are the same words, but for what only the engine knows.
local CODES = {
  cancelled = "timeout", syntax = "exception", not_found = "exception",
  invalid = "invalid_response",
}

local function plugin_error(err, name)
  return {
    code = CODES[err.code] or err.code, message = err.message, retryable = false, plugin = name,
  }
end

-- Runs a slot to its end; `serve(name, ...)` answers the door.
local function drive(serve, kind, a, b, ...)
  if kind == "door" then return drive(serve, a:answer(serve(b, ...))) end
  return kind, a, b, ...
end

local function no_door(name)
  return nil, {
    code = "permission", retryable = false, op = "door",
    message = "'" .. tostring(name) .. "' cannot be used while the plugin is loaded",
  }
end

-- The door of a self check: it may say something, and do nothing.
local function log_only(plugin)
  local lines = 0
  return function(name, level, message, ...)
    if name ~= "log" then return no_door(name, level, message, ...) end
    lines = lines + 1
    if lines > CHECK_LINES then return no_door(name) end
    log.write(level, tostring(message):sub(1, CHECK_LINE_MAX), { plugin = plugin })
    return true
  end
end

local function load_state(self)
  local m = self.manifest
  local sb, err = sandbox.new {
    name = m.label or m.name, memory = m.limits.memory_mb * 1024 * 1024,
    prelude = source "engine/sandbox.lua",
  }
  if not sb then return nil, plugin_error(err, m.name) end
  local function run(slot, ...)
    local kind, e = drive(no_door, sb:start("run", 200, 2, slot, ...))
    if kind == "error" then return nil, plugin_error(e, m.name) end
    return true
  end
  local function compile(slot, text, chunkname)
    local ok, e = sb:compile(slot, text, chunkname)
    if not ok then return nil, plugin_error(e, m.name) end
    return true
  end
  for _, name in ipairs(SDK) do
    local ok
    ok, err = compile("sdk", source("sdk/" .. name .. ".lua"), "=sdk/" .. name)
    if ok then ok, err = run("sdk", m.name, m.locales_data or {}) end
    if not ok then return nil, err end
  end
  local ok
  ok, err = run "seal"
  if not ok then return nil, err end
  for name, text in pairs(self.files.lib) do
    ok, err = compile("lib:" .. name, text, "@" .. m.name .. "/lib/" .. name .. ".lua")
    if not ok then return nil, err end
  end
  ok, err = compile("main", self.files.main, "@" .. m.name .. "/main.lua")
  if ok then ok, err = run "main" end
  if not ok then return nil, err end
  return sb
end

-- Runs what the plugin has declared as its self check, in the state that is to serve. Nothing of
-- the host is there but the log.
local function self_check(self, sb)
  if not self.config then return true end
  local kind, err = drive(log_only(self.manifest.name),
    sb:start("self_check", CHECK_CPU_MS, CHECK_S, self.config))
  if kind == "error" then return nil, plugin_error(err, self.manifest.name) end
  return true
end

-- What is wrong with the steps p.migrate(n, ...): they must lead from some version, without a gap,
-- to that of the manifest.
local function steps_problem(steps, wanted)
  local has, first = {}, wanted
  for _, from in ipairs(steps) do
    if from >= wanted then
      return ("p.migrate(%d, ...) leads to version %d of its data"):format(from, from + 1)
    end
    has[from], first = true, math.min(first, from)
  end
  for from = math.min(first, math.max(wanted - 1, 1)), wanted - 1 do
    if not has[from] then return ("there is no p.migrate(%d, ...)"):format(from) end
  end
end

local function check_steps(self, sb)
  local wanted, name = self.manifest.data_version or 1, self.manifest.name
  local kind, found = drive(no_door, sb:start("describe", DESCRIBE_CPU_MS, DESCRIBE_S))
  if kind == "error" then return nil, plugin_error(found, name) end
  local problem = steps_problem(found.migrate, wanted)
  if not problem then return true end
  return nil, plugin_error({
    code = "exception", message = ("%s/main.lua:1: %s, and data_version in manifest.json is %d")
      :format(name, problem, wanted),
  }, name)
end

local function new_state(self)
  local ok
  local sb, err = load_state(self)
  if not sb then return nil, err end
  ok = self.checked
  if not ok then ok, err = check_steps(self, sb) end
  if ok and not self.checked then ok, err = self_check(self, sb) end
  if ok then
    self.checked = true -- a state that takes the place of another one has the same code
    return sb
  end
  sb:close()
  return nil, err
end

-- A state to enter: the one there is, or a new one in the place of one that was stopped by force.
-- Loading may wait: who comes meanwhile waits for the same state.
local function state_of(self)
  while self.loading do
    local ok, err = self.loading:wait(LOAD_S)
    if not ok then return nil, plugin_error(err, self.manifest.name) end
  end
  local sb = self.state
  if sb and not sb:stats().broken then return sb end
  if sb then sb:close() end
  self.state, self.loading = nil, task.cond()
  local good, new, err = pcall(new_state, self)
  local waiting = self.loading
  self.loading = nil
  waiting:broadcast()
  if not good then error(new, 0) end
  self.state = new
  return new, err
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
  local sb, err = state_of(self)
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
  local sb, err = state_of(self)
  if not sb then return nil, err end
  local timeout = math.min(m.limits.timeout_ms, request.deadline_ms or m.limits.timeout_ms) / 1000
  local kind, value = drive(serve, sb:start("dispatch", m.limits.cpu_ms, timeout, request))
  if kind == "error" then return nil, plugin_error(value, m.name) end
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
  local how, value = drive(log_only(m.name), sb:start("migrate", m.limits.cpu_ms,
    m.limits.timeout_ms / 1000, data, from, m.data_version, kind, job))
  if how == "error" then return nil, plugin_error(value, m.name) end
  return value
end

---What the plugin registered: {commands, intents, patterns, callbacks, jobs, events, migrate}.
function M:describe()
  local sb, err = state_of(self)
  if not sb then return nil, err end
  local kind, value = drive(no_door, sb:start("describe", DESCRIBE_CPU_MS, DESCRIBE_S))
  if kind == "error" then return nil, plugin_error(value, self.manifest.name) end
  return value
end

---@return {memory: integer} of the state; 0 when there is none
function M:stats()
  return self.state and self.state:stats() or { memory = 0 }
end

function M:close()
  if self.state then self.state:close() end
end

return M
