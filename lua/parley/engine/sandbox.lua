-- The environment of a sandboxed state, built by allow-list: what is not named here does not exist.
--
-- Runs once in each new sandboxed state, trusted, before any other code; `raw` holds the stock
-- functions and the engine's own. Returns the table of globals. spec/sandbox tries to get around
-- it; docs/sandbox.md says what is promised.
--
-- Left out, and why:
--   load loadstring dofile loadfile  bytecode, and source from strings; private require is enough
--   getfenv setfenv                  reach the environment of the SDK's functions
--   newproxy                         userdata with finalisers, which run without a hook
--   collectgarbage gcinfo            a plugin could stop its collector or stall the worker
--   print                            the host's output; log is a service of the door
--   module package                   loaders of files; a table of everything that is loaded
--   io debug jit ffi                 files; other stacks; the compiler; memory
--   string.dump                      makes bytecode
--   os but for time                  processes, files, the environment of the host
--   math.randomseed                  chance comes from the host
--   coroutine, pcall, xpcall of Lua  the first cannot wait at the door from any depth, the others
--                                    corrupt memory: see below
--   arg                              the command line of the host
-- What is left out of a library stands where it is made: here, in strings.lua and in tables.lua.

local raw, parts = ... -- parley.engine.prelude puts them together

local error, type, stock_tostring = raw.error, raw.type, raw.tostring
local getmetatable, setmetatable = raw.getmetatable, raw.setmetatable
local rawset, pairs, ipairs, stock_pcall = raw.rawset, raw.pairs, raw.ipairs, raw.pcall
local stock = raw.string
local stock_format, stock_sub = stock.format, stock.sub

local env = {}
local frozen = setmetatable({}, { __mode = "k" })

-- Stock tostring and %s print heap addresses, which tell an attacker where things lie.
local function tostring(v)
  local t = type(v)
  if t == "table" then
    local text = stock_tostring(v)
    if type(text) ~= "string" then error("'__tostring' must return a string", 2) end
    return stock_sub(text, 1, 9) == "table: 0x" and "table" or text
  elseif t == "userdata" then
    return "null"
  elseif t == "function" or t == "thread" then
    return t
  end
  return stock_tostring(v)
end

local function misuse(level, ...) error(stock_format(...), level + 1) end

local function check(v, expected, n, name)
  if type(v) == expected then return v end
  misuse(3, "bad argument #%d to '%s' (%s expected, got %s)", n, name, expected, type(v))
end

-- A read-only view: writing is an error at the author's line. What writes without asking metatables
-- (rawset, table.insert) refuses it by itself.
local function freeze(name, functions)
  local proxy = setmetatable({}, {
    __index = functions,
    __newindex = function(_, key)
      misuse(2, "the library table '%s' is read-only (writing '%s')", name, tostring(key))
    end,
    __metatable = false,
  })
  frozen[proxy] = name
  return proxy
end

local function take(from, names, into)
  for _, name in ipairs(names) do into[name] = from[name] end
  return into
end

-- base --------------------------------------------------------------------------------------------

take(raw, {
  "assert", "error", -- raise, and reach nothing
  "type", "rawequal", "select", "unpack", -- look at values only; unpack ends at the stack's end
  "next", "pairs", "ipairs", -- see the contents of a table that one has
  "rawget", -- sees an empty table where a library is
  "tonumber", -- reads digits; no 64-bit numbers, which would be the ffi's
}, env)

env._VERSION = "Lua 5.1" -- a text
env.tostring = tostring -- without addresses: see above

-- Debian's LuaJIT corrupts memory when the stock pcall is used in some shapes (LuaJIT #1048): the
-- frame of a Lua function around it makes the stack check that it lacks.
local function results(...) return ... end
local function pcall(f, ...) return results(stock_pcall(f, ...)) end
env.pcall = pcall

-- The handler runs after unwinding: one that runs on top of an error raised by the hook would have
-- hooks off, and could run for ever.
local function handler_done(ok, ...)
  if ok then return false, ... end
  return false, "error in error handling"
end
local function handled(handler, ok, ...)
  if ok then return true, ... end
  return handler_done(stock_pcall(handler, (...)))
end
function env.xpcall(f, handler, ...)
  check(handler, "function", 2, "xpcall")
  return handled(handler, stock_pcall(f, ...))
end

function env.rawset(t, k, v)
  if frozen[t] then misuse(2, "the library table '%s' is read-only", frozen[t]) end
  return rawset(t, k, v)
end

-- Of tables only: the metatable of strings is shared by all code in the state.
function env.getmetatable(v)
  if type(v) ~= "table" then return nil end
  return getmetatable(v)
end

function env.setmetatable(t, mt)
  check(t, "table", 1, "setmetatable")
  if mt ~= nil then check(mt, "table", 2, "setmetatable") end
  if getmetatable(t) == nil then return setmetatable(t, mt) end
  local ok, err = stock_pcall(setmetatable, t, mt) -- protected: an error, at the author's line
  if not ok then error(err, 2) end
  return t
end

-- string, table, utf8: files of their own ---------------------------------------------------------

local shared = { tostring = tostring, check = check, misuse = misuse, frozen = frozen }

local strings = parts.strings(raw, shared)
getmetatable("").__index = strings
getmetatable("").__metatable = false
env.string = freeze("string", strings)
env.table = freeze("table", parts.tables(raw, shared))
env.utf8 = freeze("utf8", parts.utf8(raw, shared))

-- math and bit: numbers in, numbers out, in a time that does not depend on them -------------------

-- What stands in for the clock and for chance while a conversation is run again from its journal
-- (sdk/journal): it must see what it saw then. {ms, random} by the number of the call.
local moments, call_id = {}, raw.call_id

raw.math.randomseed(raw.seed) -- from the host: the stock seed is the same in every process
local stock_random = raw.math.random

function raw.math.random(...)
  local moment = moments[call_id()]
  if not moment then return stock_random(...) end
  return moment.random(...)
end
-- Left out: randomseed, because chance comes from the host.
env.math = freeze("math", take(raw.math, {
  "abs", "ceil", "floor", "fmod", "modf", "max", "min", -- calculate
  "exp", "log", "log10", "pow", "sqrt", "frexp", "ldexp", -- calculate
  "acos", "asin", "atan", "atan2", "cos", "cosh", "sin", "sinh", "tan", "tanh", -- calculate
  "deg", "rad", "pi", "huge", -- numbers themselves
  "random", -- ours, above
}, {}))

-- Left out: nothing.
env.bit = freeze("bit", take(raw.bit, {
  "band", "bnot", "bor", "bxor", "bswap", -- turn bits of a number into others
  "arshift", "lshift", "rshift", "rol", "ror", -- take the places that they move by modulo 32
  "tobit", "tohex", -- write a number, with eight digits at most
}, {}))

-- os: time only, from the host's clock, in UTC: where the host stands is not a plugin's business --
--
-- Left out:
--   execute exit remove rename tmpname  processes and files
--   getenv                              the environment has secrets
--   setlocale                           changes how the whole process reads and writes numbers

local stock_clock_ms, stock_date = raw.clock_ms, raw.os.date

local function clock_ms()
  local moment = moments[call_id()]
  return moment and moment.ms or stock_clock_ms()
end
local floor, find = raw.math.floor, stock.find
local FIRST, LAST = -62135596800, 253402300799 -- the years 1 to 9999

local function check_time(t, n, name)
  check(t, "number", n, name)
  if t >= FIRST and t <= LAST then return t end
  misuse(3, "bad argument #%d to '%s' (a time between the years 1 and 9999 expected)", n, name)
end

local function check_field(t, field, otherwise)
  local v = t[field]
  if v == nil then v = otherwise end
  if type(v) == "number" and v > -1e9 and v < 1e9 then return floor(v) end
  misuse(3, "bad argument #1 to 'time' (field '%s': a number expected, got %s)", field,
    type(v) == "number" and "one out of range" or type(v))
end

-- Days since 1970-01-01 in the calendar of today, whatever the month's number.
local function days(year, month, day)
  year, month = year + floor((month - 1) / 12), (month - 1) % 12 + 1
  if month <= 2 then year, month = year - 1, month + 12 end
  local of_year = floor((153 * (month - 3) + 2) / 5) + day - 1
  return 365 * year + floor(year / 4) - floor(year / 100) + floor(year / 400) + of_year - 719468
end

-- strftime reads its format without a hook, and glibc pads to any width: short, and no widths.
local function check_format(fmt)
  check(fmt, "string", 1, "date")
  if #fmt > 256 then misuse(3, "bad argument #1 to 'date' (at most 256 bytes)") end
  local at = 1
  while true do
    at = find(fmt, "%", at, true)
    if not at then return fmt end
    if not find(fmt, "^[aAbBcdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%%]", at + 1) then
      misuse(3, "bad argument #1 to 'date' (no conversion: '%s')", stock_sub(fmt, at, at + 1))
    end
    at = at + 2
  end
end

env.os = freeze("os", {
  time = function(t) -- ours: mktime knows the host's zone
    if t == nil then return floor(clock_ms() / 1000) end
    check(t, "table", 1, "time")
    local date = days(check_field(t, "year"), check_field(t, "month"), check_field(t, "day"))
    return ((date * 24 + check_field(t, "hour", 12)) * 60 + check_field(t, "min", 0)) * 60
      + check_field(t, "sec", 0)
  end,
  date = function(fmt, t) -- what it formats with is checked
    fmt = fmt == nil and "%c" or check(fmt, "string", 1, "date")
    t = t == nil and floor(clock_ms() / 1000) or check_time(t, 2, "date")
    if stock_sub(fmt, 1, 1) == "!" then fmt = stock_sub(fmt, 2) end
    if stock_sub(fmt, 1, 2) == "*t" then return stock_date("!*t", t) end
    return fmt == "" and "" or stock_date("!" .. check_format(fmt), t)
  end,
  difftime = function(a, b) -- calculates
    return check(a, "number", 1, "difftime") - check(b, "number", 2, "difftime")
  end,
  clock = function() return clock_ms() / 1000 end, -- no processor time, which others have used
})

-- coroutine: the scheduler's own, so that every service may be called from any depth -------------

local create, resume = raw.co_create, raw.co_resume

-- The last error that has left a coroutine by its wrap, and the plugin's line that had resumed it:
-- the error itself has the line inside only, and must stay what it is for whoever catches it.
local torn = {}

local function plugin_line()
  for level = 2, 10 do
    local _, where = stock_pcall(error, "", level)
    local line = stock.match(where, "^([%w_]+/[^:]+%.lua:%d+): $")
    if line then return line end
  end
end

local function wrapped(ok, ...)
  if ok then return ... end
  local err = ...
  if type(err) == "string" then torn.err, torn.at = err, plugin_line() end
  error(err, 0)
end

-- Left out: nothing.
env.coroutine = freeze("coroutine", {
  create = create, -- memory, which is counted
  resume = resume, -- one that has yielded, in its own state, at most 64 deep
  yield = raw.co_yield, -- to whom has resumed
  status = raw.co_status, -- looks
  running = raw.co_running, -- looks; nil in the call itself, which nobody may resume
  isyieldable = raw.co_isyieldable, -- looks
  wrap = function(f) -- create and resume
    check(f, "function", 1, "wrap")
    local co = create(f)
    return function(...) return wrapped(resume(co, ...)) end
  end,
})

-- require: the plugin's own lib/ only -------------------------------------------------------------

local loaded = {}
local loading = {} -- modules of one call only: another call may wait in the middle of the same one

local function load_module(name, key, f)
  loading[key] = true
  local ok, value = pcall(f, name)
  loading[key] = nil
  if not ok then error(value, 0) end
  if value == nil then value = true end
  loaded[name] = value
  return value
end

function env.require(name)
  check(name, "string", 1, "require")
  if loaded[name] ~= nil then return loaded[name] end
  local f = raw.slot("lib:" .. name)
  if not f then
    misuse(2, "no module '%s': require finds the files of this plugin's lib/ only", name)
  end
  local key = raw.call_id() .. ":" .. name
  if loading[key] then
    misuse(2, "module '%s' requires itself, by way of other modules or at once", name)
  end
  return load_module(name, key, f)
end

-- JSON null and the mark of a list, which cross the door unchanged.
env.null = raw.null

-- The globals are a view, so that no name can be given another value, nor _G be written.
local sealed = false
local globals = setmetatable({}, {
  __index = env,
  __newindex = function(_, key, value)
    if not sealed then return rawset(env, key, value) end
    local name = tostring(key)
    if env[key] ~= nil then misuse(2, "global '%s' is read-only", name) end
    misuse(2, "global '%s' is not declared: use 'local %s'", name, name)
  end,
  __metatable = false,
})
frozen[globals] = "_G"
env._G = globals

-- For the SDK: what fails in `f` is noted where it was, before the stack is unwound. The handler is
-- in C and ends at once, so that hooks which are off meanwhile matter to nobody.
local stock_xpcall, trace = raw.xpcall, raw.trace
local function tracing_pcall(f, ...) return results(stock_xpcall(f, trace, ...)) end

-- Until `seal` the SDK may add globals and hold the door; a plugin sees only what is left then.
local TRUSTED = {
  host = raw.door, export = raw.export, array_mt = raw.array_mt, freeze = freeze,
  clock_ms = clock_ms, call_id = call_id, moments = moments, torn = torn,
  tracing_pcall = tracing_pcall, traced = raw.traced,
}
for name, value in pairs(TRUSTED) do env[name] = value end

-- Runs a chunk for what it registers: what it returns stays here.
raw.export("run", function(slot, ...) raw.slot(slot)(...) end)

-- What one slot returns goes to another: a file's table of functions, which cannot cross.
raw.export("pass", function(from, to, ...) return raw.slot(to)(raw.slot(from)(...)) end)

raw.export("seal", function()
  for name in pairs(TRUSTED) do env[name] = nil end
  sealed = true
end)

return globals
