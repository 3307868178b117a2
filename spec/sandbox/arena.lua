-- One attack, or one legitimate program, in a state of its own beside a neighbour that must not notice.
--
-- An attack is data: `name`, `source` (the plugin's text) and `must`, which says exactly what has to happen:
--
--     must = { gives = { v, ... } }                      it returns these values
--     must = { raises = "main.lua:1: text" }             it ends with this error of its own, and the state lives on
--     must = { refused = "code", says = "text" }         the text is not compiled; `says` is part of the reason
--     must = { stops = "cpu_limit" }                     it is stopped by force, and its state is never entered again
--     must = { ends = "code", says = "text" }            the call ends, because of what it gave the host; the state lives on
--
-- and, where the defaults do not fit: `memory` (bytes), `cpu_ms`, `timeout` (seconds), `lib` (name -> text, for require),
-- `serve` (the service behind the door; echo by default), `asked` (the values that must have reached the door), and
-- `play(sb)`, for an attack of several calls: it drives the state by itself and returns what a call returns.

local prelude = require "parley.engine.prelude"

local arena = {}
arena.__index = arena

local M = {}

-- Never seen by an attack, wherever it looks: one is held by the core, one by the neighbour's state.
local CORE_SECRET = "canary-of-the-core"
local NEIGHBOUR_SECRET = "canary-of-the-neighbour"
_G.canary = CORE_SECRET

-- Trusted, before the state is sealed: the door under a name that stays, and a look at what must not have changed.
local OPENING = [[
local host, export = host, export
door = function(...) return host(...) end

local env = { string = string, table = table, math = math, bit = bit, os = os, coroutine = coroutine, utf8 = utf8 }
local members = {
  string = { "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper" },
  table = { "concat", "insert", "maxn", "remove", "sort" }, math = { "abs", "floor", "huge", "max", "pi", "random" },
  bit = { "band", "bor", "bxor" }, os = { "clock", "date", "difftime", "time" },
  coroutine = { "create", "resume", "running", "status", "wrap", "yield" }, utf8 = { "char", "codes", "len" },
}
local base = {
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
  rawequal = rawequal, rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall, door = door,
}
local stock, own = {}, {}
for library, names in next, members do
  for _, name in ipairs(names) do stock[library .. "." .. name] = env[library][name] end
  for name in next, env[library] do own[library .. "." .. name] = true end
end
local function look(globals)
  for name, value in next, base do
    if globals[name] ~= value then return name end
  end
  for library, names in next, members do
    if globals[library] ~= env[library] then return library end
    for _, name in ipairs(names) do
      if globals[library][name] ~= stock[library .. "." .. name] then return library .. "." .. name end
    end
    for name in next, globals[library] do
      if not own[library .. "." .. tostring(name)] then return library .. "." .. tostring(name) end
    end
  end
  if ("x").upper ~= stock["string.upper"] or ("x").y ~= nil then return "the metatable of strings" end
end
export("intact", function() return look(_G) end)
]]

local NEIGHBOUR = ([[
local export, n, secret = export, 0, "%s"
export("count", function() n = n + 1 return n, ("x"):rep(3), #secret end)
]]):format(NEIGHBOUR_SECRET)

local MEMORY = 4 * 1024 * 1024

local function open(new, name, memory, opening)
  local sb = assert(new { name = name, memory = memory or MEMORY, prelude = prelude.text() })
  assert(sb:compile("opening", opening, "=opening"))
  assert(sb:start("opening", 1000, 20) == "done")
  assert(sb:start("seal", 1000, 20) == "done")
  return sb
end

---A place for attacks.
---@param new fun(options: table): table the constructor of a ring: host.sandbox.new, host.isolate.new
function M.new(new)
  return setmetatable({ make = new, calls = 0, neighbour = open(new, "neighbour", nil, NEIGHBOUR) }, arena)
end

---The state that an attack is made in.
function arena:state(attack)
  local sb = open(self.make, "attacked", attack.memory, OPENING)
  for name, text in pairs(attack.lib or {}) do
    assert(sb:compile("lib:" .. name, text, "@lib/" .. name .. ".lua"))
  end
  return sb
end

local function echo(_, ...) return ... end

local drive

local function served(serve, call, name, ...) return drive(serve, call:answer(serve(name, ...))) end

---Answers the door until the call has ended.
---@return any ... "done", results... or "error", err
function drive(serve, kind, ...)
  if kind == "door" then return served(serve, ...) end
  return kind, ...
end
M.drive = drive

local function pack(...) return { n = select("#", ...), ... } end

---@return table outcome kind, a, b, ... as a call returns them; kind is "refused" when the text was not compiled
---@return table asked each call of the door: { name, ... }
function arena:run(attack, sb) -- luacheck: no self
  local asked = {}
  local function serve(name, ...)
    if #asked < 100 then asked[#asked + 1] = { name, ... } end
    return (attack.serve or echo)(name, ...)
  end
  local ok, err = sb:compile("main", attack.source, "@main.lua")
  if not ok then return { n = 2, "refused", err }, asked end
  if attack.play then return pack(M.drive(serve, attack.play(sb))), asked end
  local stops = attack.must and attack.must.stops == "cpu_limit"
  return pack(M.drive(serve, sb:start("main", attack.cpu_ms or (stops and 20 or 3000), attack.timeout or 20))), asked
end

-- Values as text, in one order.
local function show(v, depth)
  depth = depth or 0
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) ~= "table" or depth > 40 then return tostring(v):gsub("0x%x+", "null") .. "" end
  local out = {}
  for k, item in pairs(v) do
    if k ~= "n" then out[#out + 1] = ("[%s]=%s"):format(show(k, depth + 1), show(item, depth + 1)) end
  end
  table.sort(out)
  return "{" .. table.concat(out, ",") .. "}"
end
M.show = show

-- What no plugin may ever see: where things lie in memory, what is not its own, files.
local FORBIDDEN = { "0x%x%x%x%x+", CORE_SECRET, NEIGHBOUR_SECRET, "root:x:", "/lua/parley/", "/home/" }

---What is in `seen`, a nested table, of what no plugin may see; nil when there is nothing.
---@return string|nil
function M.leak(seen)
  local text = show(seen)
  for _, pattern in ipairs(FORBIDDEN) do
    local plain = not pattern:find("%", 1, true)
    local at, to = text:find(pattern, 1, plain)
    if at then return text:sub(at, to) end
  end
end

local judge = {}

function judge.gives(must, outcome)
  if outcome[1] ~= "done" then return "has not returned" end
  local got, want = {}, {}
  for i = 2, outcome.n do got[i - 1] = show(outcome[i]) end
  for i = 1, must.n or #must.gives do want[i] = show(must.gives[i]) end
  got, want = table.concat(got, ", "), table.concat(want, ", ")
  if got ~= want then return ("gives %s, not %s"):format(got, want) end
end

local function failed(outcome, kind, code, says)
  if outcome[1] ~= kind then return "is not " .. kind end
  if outcome[2].code ~= code then return "has the code " .. tostring(outcome[2].code) end
  if says and not outcome[2].message:find(says, 1, true) then return "says " .. outcome[2].message end
end

function judge.raises(must, outcome)
  local problem = failed(outcome, "error", "exception")
  if problem then return problem end
  if outcome[2].message ~= must.raises then return "raises " .. outcome[2].message end
end

function judge.refused(must, outcome) return failed(outcome, "refused", must.refused, must.says) end
function judge.ends(must, outcome) return failed(outcome, "error", must.ends, must.says) end
function judge.stops(must, outcome) return failed(outcome, "error", must.stops, must.says) end

---Compares the outcome of an attack with what must happen.
---@return string|nil problem
function M.judge(must, outcome)
  for kind, check in pairs(judge) do
    if must[kind] ~= nil then return check(must, outcome) end
  end
  error("the attack does not say what must happen")
end

-- The state after the attack: stopped for good, or as it was.
local function aftermath(attack, sb)
  if attack.must.stops or attack.must.breaks then
    local kind, err = sb:start("intact", 3000, 20)
    if kind ~= "error" or err.code ~= "disabled" then return "is entered again" end
    return not sb:stats().broken and "leaves its state in use" or nil
  end
  local stats = sb:stats()
  if stats.broken then return "breaks its state" end
  local kind, changed = sb:start("intact", 3000, 20)
  if kind ~= "done" then return "leaves a state that cannot be called" end
  if changed then return "has changed " .. changed end
end

-- Whoever lives beside it.
local function bystanders(self, stats)
  if stats.limit and stats.peak > stats.limit + 4096 then return "went over its cap by " .. stats.peak - stats.limit end
  self.calls = self.calls + 1
  local kind, n, text, size = self.neighbour:start("count", 1000, 20)
  if kind ~= "done" or n ~= self.calls or text ~= "xxx" or size ~= #NEIGHBOUR_SECRET then return "disturbs its neighbour" end
  if _G.canary ~= CORE_SECRET or ("x").rep ~= string.rep then return "has changed the core" end
end

---Makes one attack.
---@return string|nil problem nil when exactly what must happen has happened
function arena:try(attack)
  local sb = self:state(attack)
  local outcome, asked = self:run(attack, sb)
  local problem = M.judge(attack.must, outcome)
  if not problem and attack.asked and show(asked) ~= show(attack.asked) then problem = "asked for " .. show(asked) end
  if not problem then
    local seen = M.leak { outcome, asked }
    problem = seen and "has seen " .. seen or aftermath(attack, sb) or bystanders(self, sb:stats())
  end
  sb:close()
  return problem and ("%s (outcome: %s)"):format(problem, show(outcome))
end

return M
