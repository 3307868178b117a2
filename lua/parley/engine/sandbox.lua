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

local raw = ...

local error, type, select, stock_tostring = raw.error, raw.type, raw.select, raw.tostring
local getmetatable, setmetatable = raw.getmetatable, raw.setmetatable
local rawset, pairs, ipairs, stock_pcall = raw.rawset, raw.pairs, raw.ipairs, raw.pcall
local rawget = raw.rawget
local stock, lib, min = raw.string, raw.lib, raw.math.min
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

env._VERSION = "Lua 5.1"
env.tostring = tostring

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

-- string ------------------------------------------------------------------------------------------

local strings = {}
for _, name in raw.ipairs { "byte", "char", "len", "lower", "reverse", "sub", "upper" } do
  strings[name] = stock[name]
end
strings.rep = lib.rep_within(stock.rep)

-- The stock matcher could hold the worker for ever; ours is preempted (host/engine/lib.h).
strings.find, strings.match, strings.gmatch = lib.find, lib.match, lib.gmatch

local function apply(f, first, ...)
  if first == nil then return false, ... end
  return true, (f(first, ...))
end

-- LuaJIT can neither suspend nor preempt what a C function calls: in this loop a callback may wait
-- at the door, and cannot survive its end. Called in place of gsub: errors are the author's.
local function replace(f, step, single)
  if single then
    local capture, text, count = step()
    while capture ~= nil do capture, text, count = step((f(capture))) end
    return text, count
  end
  local more, value, count = apply(f, step())
  while more do more, value, count = apply(f, step(value)) end
  return value, count
end

local gsub, gsub_begin = lib.gsub, lib.gsub_begin

local function replace_from(s, pattern, t, max)
  local text, count = gsub(s, pattern, t, max)
  if not text then error(count, 2) end
  return text, count
end

local function is_text(v)
  local t = type(v)
  return t == "string" or t == "number"
end

function strings.gsub(s, pattern, repl, max)
  local kind = type(repl)
  if kind ~= "function" and kind ~= "table" then return gsub(s, pattern, repl, max) end
  if not (is_text(s) and is_text(pattern) and (max == nil or raw.tonumber(max))) then
    return gsub(s, pattern, "", max) -- says what is wrong
  end
  if kind == "table" and getmetatable(repl) == nil then
    return replace_from(s, pattern, repl, max)
  elseif kind == "table" then
    return replace(function(key) return repl[key] end, gsub_begin(s, pattern, max, true))
  end
  return replace(repl, gsub_begin(s, pattern, max))
end

-- %p tells an address, and %s and %q what the stock tostring tells.
local prints_all = lib.prints_all
function strings.format(fmt, ...)
  if prints_all(fmt, ...) then return stock_format(fmt, ...) end
  local args, n = { ... }, select("#", ...)
  for i = 1, n do
    if not is_text(args[i]) then args[i] = tostring(args[i]) end
  end
  return stock_format(fmt, raw.unpack(args, 1, n))
end

getmetatable("").__index = strings
getmetatable("").__metatable = false
env.string = freeze("string", strings)

-- table -------------------------------------------------------------------------------------------

local tables = {
  insert = lib.insert_except(frozen, raw.table.insert), maxn = raw.table.maxn,
  remove = raw.table.remove,
}

local stock_concat = raw.table.concat
local JOIN = 1000 -- elements that the stock function joins at once

local function is_long(t, i, j)
  if type(t) ~= "table" then return false end
  i, j = i or 1, j or #t
  return type(i) == "number" and type(j) == "number" and j - i >= JOIN and j < 2 ^ 31
end

function tables.concat(t, sep, i, j)
  if not is_long(t, i, j) then return stock_concat(t, sep, i, j) end
  local parts, last = {}, j or #t
  for from = i or 1, last, JOIN do
    local ok, part = stock_pcall(stock_concat, t, sep, from, min(from + JOIN - 1, last))
    if not ok then error(part, 2) end
    parts[#parts + 1] = part
  end
  return stock_concat(parts, sep)
end

-- Sorting is in Lua: a comparator that a C function calls can be neither preempted nor suspended,
-- and its end could be caught. Merging bounds the comparisons, whatever the comparator answers; it
-- works on a copy, so that a comparator that changes the table, or raises, finds it as it was.

local RUN = 8

local function sort_runs(a, n, before)
  for first = 1, n, RUN do
    for i = first + 1, min(first + RUN - 1, n) do
      local v, at = a[i], i
      while at > first and before(v, a[at - 1]) do
        a[at] = a[at - 1]
        at = at - 1
      end
      a[at] = v
    end
  end
end

-- Merges from[i..middle-1] and from[middle..last] into `to`; equal values keep their order.
local function merge(from, to, i, middle, last, before)
  local left, right = i, middle
  for at = i, last do
    if left < middle and (right > last or not before(from[right], from[left])) then
      to[at] = from[left]
      left = left + 1
    else
      to[at] = from[right]
      right = right + 1
    end
  end
end

local function sorted(a, n, before)
  sort_runs(a, n, before)
  local b, width = {}, RUN
  while width < n do
    for i = 1, n, 2 * width do
      merge(a, b, i, min(i + width, n + 1), min(i + 2 * width - 1, n), before)
    end
    a, b, width = b, a, 2 * width
  end
  return a
end

local function less(x, y) return x < y end

local function all_of(kind, a, n)
  for i = 2, n do
    if type(a[i]) ~= kind then return false end
  end
  return true
end

function tables.sort(t, before)
  if type(t) ~= "table" then
    error("bad argument #1 to 'sort' (table expected, got " .. type(t) .. ")", 2)
  elseif before ~= nil and type(before) ~= "function" then
    error("bad argument #2 to 'sort' (function expected, got " .. type(before) .. ")", 2)
  elseif frozen[t] then
    error("the library table '" .. frozen[t] .. "' is read-only", 2)
  end
  local a, n = {}, #t
  for i = 1, n do a[i] = rawget(t, i) end
  local kind = type(a[1])
  if before or ((kind == "number" or kind == "string") and all_of(kind, a, n)) then
    a = sorted(a, n, before or less)
  else
    local ok
    ok, a = stock_pcall(sorted, a, n, less)
    if not ok then error(type(a) == "string" and gsub(a, "^sandbox:%d+: ", "") or a, 2) end
  end
  for i = 1, n do rawset(t, i, a[i]) end
end

env.table = freeze("table", tables)

-- math and bit: numbers in, numbers out -----------------------------------------------------------

raw.math.randomseed(raw.seed) -- from the host: the stock seed is the same in every process
env.math = freeze("math", take(raw.math, {
  "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod",
  "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "random",
  "sin", "sinh", "sqrt", "tan", "tanh",
}, {}))

env.bit = freeze("bit", take(raw.bit, {
  "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit",
  "tohex",
}, {}))

-- os: time only, from the host's clock, in UTC: where the host stands is not a plugin's business --

local clock_ms, stock_date = raw.clock_ms, raw.os.date
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
  time = function(t)
    if t == nil then return floor(clock_ms() / 1000) end
    check(t, "table", 1, "time")
    local date = days(check_field(t, "year"), check_field(t, "month"), check_field(t, "day"))
    return ((date * 24 + check_field(t, "hour", 12)) * 60 + check_field(t, "min", 0)) * 60
      + check_field(t, "sec", 0)
  end,
  date = function(fmt, t)
    fmt = fmt == nil and "%c" or check(fmt, "string", 1, "date")
    t = t == nil and floor(clock_ms() / 1000) or check_time(t, 2, "date")
    if stock_sub(fmt, 1, 1) == "!" then fmt = stock_sub(fmt, 2) end
    if stock_sub(fmt, 1, 2) == "*t" then return stock_date("!*t", t) end
    return fmt == "" and "" or stock_date("!" .. check_format(fmt), t)
  end,
  difftime = function(a, b)
    return check(a, "number", 1, "difftime") - check(b, "number", 2, "difftime")
  end,
  clock = function() return clock_ms() / 1000 end,
})

-- coroutine: the scheduler's own, so that every service may be called from any depth -------------

local create, resume = raw.co_create, raw.co_resume

local function wrapped(ok, ...)
  if ok then return ... end
  error((...), 0)
end

env.coroutine = freeze("coroutine", {
  create = create,
  resume = resume,
  yield = raw.co_yield,
  status = raw.co_status,
  running = raw.co_running,
  isyieldable = raw.co_isyieldable,
  wrap = function(f)
    check(f, "function", 1, "wrap")
    local co = create(f)
    return function(...) return wrapped(resume(co, ...)) end
  end,
})

-- utf8: what Lua 5.3 has of it ------------------------------------------------------------------

local byte, char, sub = stock.byte, stock.char, stock.sub

local function decode(s, i)
  local b = byte(s, i)
  if not b then return nil end
  if b < 0x80 then return b, 1 end
  local n, code
  if b >= 0xC2 and b < 0xE0 then n, code = 2, b - 0xC0
  elseif b >= 0xE0 and b < 0xF0 then n, code = 3, b - 0xE0
  elseif b >= 0xF0 and b < 0xF5 then n, code = 4, b - 0xF0
  else return nil end
  for k = 1, n - 1 do
    local c = byte(s, i + k)
    if not c or c < 0x80 or c > 0xBF then return nil end
    code = code * 64 + (c - 0x80)
  end
  if (n == 3 and code < 0x800) or (n == 4 and (code < 0x10000 or code > 0x10FFFF))
    or (code >= 0xD800 and code <= 0xDFFF) then
    return nil
  end
  return code, n
end

local function encode(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64,
    0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

-- The position that i names: from the end when it is negative.
local function position(s, i, otherwise, n, name)
  if i == nil then return otherwise end
  check(i, "number", n, name)
  return i < 0 and #s + i + 1 or i
end

local function invalid(level, at) misuse(level + 1, "invalid UTF-8 at byte %d", at) end

local function codes_next(s, i)
  local at = i + 1
  if i > 0 then
    local _, n = decode(s, i)
    if not n then invalid(2, i) end
    at = i + n
  end
  if at > #s then return nil end
  local code = decode(s, at)
  if not code then invalid(2, at) end
  return at, code
end

env.utf8 = freeze("utf8", {
  charpattern = "[%z\1-\127\194-\244][\128-\191]*",
  char = function(...)
    local out = {}
    for i = 1, select("#", ...) do
      local code = check((select(i, ...)), "number", i, "char")
      if not (code >= 0 and code <= 0x10FFFF and code % 1 == 0)
        or (code >= 0xD800 and code <= 0xDFFF) then
        misuse(2, "bad argument #%d to 'char' (a code point expected)", i)
      end
      out[i] = encode(code)
    end
    return tables.concat(out)
  end,
  codepoint = function(s, i, j)
    check(s, "string", 1, "codepoint")
    i = position(s, i, 1, 2, "codepoint")
    j = position(s, j, i, 3, "codepoint")
    local out, n = {}, 0
    while i <= j do
      local code, len = decode(s, i)
      if not code then invalid(2, i) end
      n = n + 1
      if n > 1000 then misuse(2, "more than 1000 characters: use utf8.codes") end
      out[n] = code
      i = i + len
    end
    return raw.unpack(out, 1, n)
  end,
  len = function(s, i, j)
    check(s, "string", 1, "len")
    i = position(s, i, 1, 2, "len")
    j = position(s, j, #s, 3, "len")
    local n = 0
    while i <= j do
      local _, len = decode(s, i)
      if not len then return nil, i end
      i, n = i + len, n + 1
    end
    return n
  end,
  codes = function(s) return codes_next, check(s, "string", 1, "codes"), 0 end,
  sub = function(s, from, to)
    check(s, "string", 1, "sub")
    check(from, "number", 2, "sub")
    to = to == nil and raw.math.huge or check(to, "number", 3, "sub")
    local at, n, first = 1, 0, nil
    while at <= #s do
      n = n + 1
      if n == from then first = at end
      local _, len = decode(s, at)
      if n > to then break end
      at = at + (len or 1)
    end
    return first and sub(s, first, at - 1) or ""
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

-- Until `seal` the SDK may add globals and hold the door; a plugin sees only what is left then.
local TRUSTED = {
  host = raw.door, export = raw.export, array_mt = raw.array_mt, freeze = freeze,
  clock_ms = clock_ms,
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
