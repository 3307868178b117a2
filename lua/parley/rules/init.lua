-- The operator's rules (conf/rules.lua): a pure function of the message, in a sandboxed state that
-- has no door at all. What goes wrong in them costs the message nothing but its rules.

local fs = require "host.fs"
local lines = require "parley.rules.lines"
local prelude = require "parley.engine.prelude"
local sandbox = require "host.sandbox"
local precompile = require "parley.plugins.precompile"
local problems = require "parley.plugins.problems"

local M = {}
M.__index = M

local MEMORY = 4 * 1024 * 1024
-- Rules wait for nothing but the CPU. On a machine that has too much to do they have time: without
-- them a message goes where nobody wanted it.
local LOAD_CPU_MS, LOAD_SECONDS = 200, 30
local CPU_MS, SECONDS = 10, 10 -- for one message
local MAX_BYTES = 256 * 1024

---@class parley.Verdict
---@field plugin? string
---@field intent? string
---@field reply? string answered at once, no plugin is asked
---@field drop? boolean no answer at all
---@field locale? string
---@field tags? string[]
---@field rule? string the rule that decided

local sources = {}

local function trusted(path)
  if not sources[path] then
    local text, err = fs.read(fs.data_dir() .. "/lua/parley/" .. path)
    if not text then error("cannot read " .. path .. ": " .. err.message) end
    sources[path] = text
  end
  return sources[path]
end

local function rules_error(message)
  return nil, { code = "rules", message = message, retryable = false, op = "rules" }
end

-- Runs a slot to its end. There is no door: who calls it is stopped.
local function run(sb, slot, cpu_ms, seconds, ...)
  local kind, a = sb:start(slot, cpu_ms, seconds, ...)
  if kind == "done" then return true, a end
  if kind == "door" then
    a:stop()
    return rules_error "rules have no services to call"
  end
  return nil, a
end

local function build(self)
  local sb, err = sandbox.new {
    name = "(rules)", memory = MEMORY, prelude = prelude.text(),
  }
  if not sb then return nil, err end
  local ok, count
  local function step(good, e)
    ok, err = good, e
    return good
  end
  local done = step(sb:compile("compile", trusted "rules/compile.lua", "=rules"))
    and step(run(sb, "compile", LOAD_CPU_MS, LOAD_SECONDS))
    and step(run(sb, "seal", LOAD_CPU_MS, LOAD_SECONDS))
    and step(sb:compile("rules", self.source, "@" .. problems.chunk(self.name)))
  if done then
    ok, count = run(sb, "pass", LOAD_CPU_MS, LOAD_SECONDS, "rules", "load")
    err = count
  end
  if not ok then
    sb:close()
    local message = problems.unfold(self.name, err.message)
    local n = tonumber(message:match "^rule (%d+)")
    local line = n and lines.of(self.source, n)
    if line then
      message = ("%s:%d: %s"):format(self.name, line, message)
    elseif not message:find(self.name, 1, true) then
      message = self.name .. ": " .. message
    end
    return rules_error(message)
  end
  self.state, self.count = sb, count
  return true
end

local function create(source, name)
  local self = setmetatable({ source = source, name = name, count = 0 }, M)
  local ok, err = build(self)
  if not ok then return nil, err end
  return self
end

--- Loads rules.
---@param source string the text of conf/rules.lua
---@param name string its path, for messages
---@param shared parley.Precompile? where it is compiled first; default: a process of its own
---@return table? rules
---@return table? err {code = "rules", message with the file, and the line or the rule}
function M.new(source, name, shared)
  local t = shared or precompile.new()
  local ok, err = t:compile(problems.chunk(name), source)
  if not shared then t:close() end
  if not ok then return rules_error(problems.unfold(name, err.message)) end
  return create(source, name)
end

--- Loads a file of rules; one that does not exist holds none.
---@param path string
---@param shared parley.Precompile? as in M.new
---@return table? rules
---@return table? err
function M.load(path, shared)
  if not fs.exists(path) then return create("return {}", path) end
  local source, err = fs.read(path, MAX_BYTES)
  if not source then return nil, err end
  return M.new(source, path, shared)
end

--- What rules see of a message: a flat copy, so that they cannot depend on anything else.
---@param message table DialogMessageCreateV1
---@param context? {dialog_id: string?, channel: string?, user: table?, state: string?}
---@return table
function M.view(message, context)
  context = context or {}
  local user = context.user or {}
  return {
    text = message.text, type = message.type, payload = message.payload,
    channel = context.channel or message.channel or "api",
    locale = user.locale or message.locale, role = user.role or "user", state = context.state,
    user = user.id, dialog = context.dialog_id, bot = context.bot,
  }
end

--- Asks the rules about a message. Waits when the rules are preempted.
---@param view table from M.view
---@return parley.Verdict? verdict nil: no rule fits
---@return table? err they failed; the message goes on without a verdict
function M:evaluate(view)
  if self.count == 0 then return nil end
  if self.state:stats().broken then
    self.state:close()
    local ok, err = build(self)
    if not ok then return nil, err end
  end
  local ok, verdict = run(self.state, "evaluate", CPU_MS, SECONDS, view)
  if ok then return verdict end
  verdict.message = problems.unfold(self.name, verdict.message)
  return nil, verdict
end

--- Frees the state; a call under way finishes first.
function M:close() self.state:close() end

return M
