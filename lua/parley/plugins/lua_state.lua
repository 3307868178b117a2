-- The state of a Lua plugin, in the ring where it belongs: made, filled with the SDK and with what
-- the plugin is, checked.

local isolate = require "host.isolate"
local log = require "parley.ops.log"
local precompile = require "parley.plugins.precompile"
local sandbox = require "host.sandbox"
local sdk = require "parley.plugins.sdk"
local task = require "host.task"

local M = {}

-- For each part of a state: the SDK's, which are quick, and the plugin's main chunk; and for a self
-- check. They wait for nothing but the CPU, which a busy machine may not give them for long.
local LOAD_CPU_MS, LOAD_S = 200, 10
local CHECK_CPU_MS, CHECK_S = 200, 10
local DESCRIBE_CPU_MS, DESCRIBE_S = 50, 10
local CHECK_LINES, CHECK_LINE_MAX = 20, 2000 -- that it may write to the log
-- Others go first before each part, for so long at most: all of them together take 0.4 ms.
local OTHERS_S = 0.001

local RINGS = { trusted = sandbox, isolated = isolate }

-- Lua's codes and the contract's are the same words, but for what only the engine knows.
local CODES = {
  cancelled = "timeout", syntax = "exception", not_found = "exception",
  invalid = "invalid_response", crashed = "exception", not_supported = "exception",
  closed = "exception", busy = "exception",
}

---@param err table of host.sandbox
---@param name string of the plugin
---@return table PluginError with `cause`: the word of the engine
function M.error(err, name)
  return {
    code = CODES[err.code] or err.code, cause = err.code, message = err.message,
    retryable = false, plugin = name,
  }
end

---Goes on with a call to its end; `serve(name, ...)` answers the door.
---@param serve fun(name: string, ...): any
---@param kind "done"|"door"|"error" of a state's start, with what follows it
---@return "done"|"error" kind
---@return any ... results, or the err
function M.drive(serve, kind, a, b, ...)
  if kind == "door" then return M.drive(serve, a:answer(serve(b, ...))) end
  return kind, a, b, ...
end

-- The door while no event is there.
local function no_door(name)
  return nil, {
    code = "permission", retryable = false, op = "door",
    message = "'" .. tostring(name) .. "' cannot be used while the plugin is loaded",
  }
end

---The door of a self check, or of a migration: it may say something, and do nothing.
---@param plugin string
---@return fun(name: string, ...): any serve
function M.log_only(plugin)
  local lines = 0
  return function(name, level, message, ...)
    if name ~= "log" then return no_door(name, level, message, ...) end
    lines = lines + 1
    if lines > CHECK_LINES then return no_door(name) end
    log.write(level, tostring(message):sub(1, CHECK_LINE_MAX), { plugin = plugin })
    return true
  end
end

-- These raise a PluginError.
local function check(name, ok, err)
  if not ok then error(M.error(err, name), 0) end
end

local function run(sb, name, slot, ...)
  local kind, err = M.drive(no_door, sb:start("run", LOAD_CPU_MS, LOAD_S, slot, ...))
  check(name, kind ~= "error", err)
end

-- The plugin's own files: slot, name for messages, text.
local function own_files(name, files)
  local out = {}
  for lib, text in pairs(files.lib) do
    out[#out + 1] = { "lib:" .. lib, ("%s/lib/%s.lua"):format(name, lib), text }
  end
  out[#out + 1] = { "main", name .. "/main.lua", files.main }
  return out
end

-- Compiles them where nothing can be lost.
local function try(name, own, shared)
  local first, ok, err = shared or precompile.new(), true, nil
  for _, file in ipairs(own) do
    ok, err = first:compile(file[2], file[3])
    if not ok then break end
  end
  if not shared then first:close() end
  check(name, ok, err)
end

local function fill(sb, manifest, own)
  local name, sources = manifest.name, {}
  for i, file in ipairs(own) do sources[i] = file[3] end
  for _, code in sdk.parts(sources) do
    task.give_way(OTHERS_S)
    check(name, sb:load("sdk", code))
    run(sb, name, "sdk", name, manifest.locales_data or {})
  end
  task.give_way(OTHERS_S)
  run(sb, name, "seal")
  for _, file in ipairs(own) do check(name, sb:compile(file[1], file[3], "@" .. file[2])) end
  task.give_way(OTHERS_S)
  run(sb, name, "main")
end

---What a plugin registered: {commands, intents, patterns, callbacks, jobs, events, migrate}.
---@param sb table its state
---@param name string
---@return table|nil lists
---@return table|nil PluginError
function M.describe(sb, name)
  local kind, value = M.drive(no_door, sb:start("describe", DESCRIBE_CPU_MS, DESCRIBE_S))
  if kind == "error" then return nil, M.error(value, name) end
  return value
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

-- Checks the steps of migrations, then runs what the plugin has declared as its self check, in the
-- state that is to serve. Nothing of the host is there but the log.
local function check_state(sb, manifest, config)
  local wanted, name = manifest.data_version or 1, manifest.name
  local lists, err = M.describe(sb, name)
  if not lists then error(err, 0) end
  local problem = steps_problem(lists.migrate, wanted)
  check(name, not problem, {
    code = "exception", message = ("%s/main.lua:1: %s, and data_version in manifest.json is %d")
      :format(name, problem, wanted),
  })
  if not config then return end
  local kind, failure =
    M.drive(M.log_only(name), sb:start("self_check", CHECK_CPU_MS, CHECK_S, config))
  check(name, kind ~= "error", failure)
end

---@class parley.StateOptions
---@field ring "trusted"|"isolated"
---@field checks {config: table|nil}|nil whether what it has registered is checked, too; with the
---  plugin's settings also by its self check
---@field precompile parley.Precompile|nil where its files are compiled first; default: a process of
---  their own

local function build(manifest, files, how)
  local name = manifest.name
  local own = own_files(name, files)
  try(name, own, how.precompile)
  local sb, err = RINGS[how.ring].new {
    name = manifest.label or name, memory = manifest.limits.memory_mb * 1024 * 1024,
    prelude = sdk.prelude(),
  }
  check(name, sb, err)
  local ok, problem = pcall(fill, sb, manifest, own)
  if ok and how.checks then ok, problem = pcall(check_state, sb, manifest, how.checks.config) end
  if ok then return sb end
  sb:close()
  error(problem, 0)
end

---Builds the state of a plugin. It waits.
---@param manifest table checked, limits filled
---@param files {main: string, lib: table<string, string>}
---@param how parley.StateOptions
---@return table|nil state close() it
---@return table|nil PluginError
function M.build(manifest, files, how)
  local ok, result = pcall(build, manifest, files, how)
  if ok then return result end
  if type(result) ~= "table" then error(result, 0) end
  return nil, result
end

return M
