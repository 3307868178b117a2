-- The environment of a sandboxed state, built by allow-list: what is not named here does not exist.
--
-- Runs once in each new sandboxed state, trusted, before any other code; `raw` holds the stock
-- functions and the engine's own. Returns the table that becomes the state's globals.
--
-- Left out, and why:
--   load loadstring dofile loadfile   bytecode and source from strings; private require is enough
--   getfenv setfenv                   reach the environment of the SDK's functions
--   newproxy                          userdata with metatables: uncapped memory, finalisers
--   collectgarbage                    a plugin could stop its collector or stall the worker
--   print io package module           the outside; log is a service of the door
--   debug jit ffi string.dump         memory access, bytecode
--   os but for time                   the outside
--   math.randomseed                   chance comes from the host, so that a turn can be replayed

local raw = ...

local error, type, select, tostring = raw.error, raw.type, raw.select, raw.tostring
local getmetatable, setmetatable = raw.getmetatable, raw.setmetatable
local rawset, rawget = raw.rawset, raw.rawget
local stock_pcall, next, pairs = raw.pcall, raw.next, raw.pairs

local stock, lib, min = raw.string, raw.lib, raw.math.min

local env = {}
local frozen = setmetatable({}, { __mode = "k" })

-- A read-only view: writing is an error at the author's line, whatever way it is tried.
local function freeze(name, functions)
  local proxy = setmetatable({}, {
    __index = functions,
    __newindex = function(_, key)
      local msg = "the library table '%s' is read-only (writing '%s')"
      error(raw.string.format(msg, name, tostring(key)), 2)
    end,
    __metatable = false,
  })
  frozen[proxy] = name
  return proxy
end

-- Stock tostring and %s print heap addresses, which tell an attacker where things lie.
local function safe_tostring(v)
  local t = type(v)
  if t == "table" then
    local mt = getmetatable(v)
    if type(mt) == "table" and rawget(mt, "__tostring") ~= nil then return tostring(v) end
    return "table"
  elseif t == "function" or t == "thread" or t == "userdata" then
    return t
  end
  return tostring(v)
end

-- Debian's LuaJIT corrupts memory when the stock pcall is used in some shapes (LuaJIT #1048): the
-- frame of a Lua function around it makes the stack check that it lacks.
local function results(...) return ... end
local function pcall(f, ...) return results(stock_pcall(f, ...)) end

-- The handler runs after unwinding: one that runs on top of an error raised by the hook would have
-- hooks off, and could run for ever.
local function handled(handler, ok, ...)
  if ok then return true, ... end
  return false, handler((...))
end
local function xpcall(f, handler, ...)
  if type(handler) ~= "function" then
    error("bad argument #2 to 'xpcall' (function expected)", 2)
  end
  return handled(handler, stock_pcall(f, ...))
end

for _, name in raw.ipairs {
  "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "select", "tonumber", "type",
  "unpack",
} do
  env[name] = raw[name]
end

env._VERSION = "Lua 5.1"
env.tostring = safe_tostring
env.pcall = pcall
env.xpcall = xpcall

function env.rawset(t, k, v)
  if frozen[t] then error("the library table '" .. frozen[t] .. "' is read-only", 2) end
  return rawset(t, k, v)
end

function env.getmetatable(v)
  if type(v) ~= "table" then return nil end
  return getmetatable(v)
end

function env.setmetatable(t, mt)
  if type(t) ~= "table" then
    error("bad argument #1 to 'setmetatable' (table expected, got " .. type(t) .. ")", 2)
  end
  return setmetatable(t, mt)
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
local stock_format, prints_all = stock.format, lib.prints_all
function strings.format(fmt, ...)
  if prints_all(fmt, ...) then return stock_format(fmt, ...) end
  local args, n = { ... }, select("#", ...)
  for i = 1, n do
    if not is_text(args[i]) then args[i] = safe_tostring(args[i]) end
  end
  return stock_format(fmt, raw.unpack(args, 1, n))
end

getmetatable("").__index = strings
getmetatable("").__metatable = false
env.string = freeze("string", strings)

-- table, math, bit --------------------------------------------------------------------------------

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

local maths = {}
for name, f in pairs(raw.math) do
  if name ~= "randomseed" then maths[name] = f end
end
raw.math.randomseed(raw.seed)
env.math = freeze("math", maths)

local bits = {}
for name, f in pairs(raw.bit) do bits[name] = f end
env.bit = freeze("bit", bits)

-- os: time only, from the host's clock ------------------------------------------------------------

local clock_ms, stock_date, stock_time = raw.clock_ms, raw.os.date, raw.os.time
local floor = raw.math.floor

env.os = freeze("os", {
  time = function(t)
    if t == nil then return floor(clock_ms() / 1000) end
    return stock_time(t)
  end,
  date = function(fmt, t) return stock_date(fmt or "%c", t or floor(clock_ms() / 1000)) end,
  difftime = function(a, b) return a - b end,
  clock = function() return clock_ms() / 1000 end,
})

-- coroutine: the scheduler's own, so that every service may be called from any depth ------------

local resume, yield, status = raw.co_resume, raw.co_yield, raw.co_status

local function wrapped(ok, ...)
  if ok then return ... end
  error((...), 0)
end

env.coroutine = freeze("coroutine", {
  create = raw.co_create,
  resume = resume,
  yield = yield,
  status = status,
  running = raw.co_running,
  isyieldable = raw.co_isyieldable,
  wrap = function(f)
    local co = raw.co_create(f)
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

local function codes_next(s, i)
  local at = i + 1
  if i > 0 then
    local _, n = decode(s, i)
    at = i + n
  end
  if at > #s then return nil end
  local code = decode(s, at)
  if not code then error("invalid UTF-8 at byte " .. at, 2) end
  return at, code
end

env.utf8 = freeze("utf8", {
  charpattern = "[%z\1-\127\194-\244][\128-\191]*",
  char = function(...)
    local out = {}
    for i = 1, select("#", ...) do
      local code = select(i, ...)
      if type(code) ~= "number" or code < 0 or code > 0x10FFFF then
        error("bad argument #" .. i .. " to 'char' (code point expected)", 2)
      end
      out[i] = encode(code)
    end
    return tables.concat(out)
  end,
  codepoint = function(s, i, j)
    i = i or 1
    j = j or i
    local out, n = {}, 0
    while i <= j do
      local code, len = decode(s, i)
      if not code then error("invalid UTF-8 at byte " .. i, 2) end
      n = n + 1
      out[n] = code
      i = i + len
    end
    return raw.unpack(out, 1, n)
  end,
  len = function(s)
    local i, n = 1, 0
    while i <= #s do
      local _, len = decode(s, i)
      if not len then return nil, i end
      i, n = i + len, n + 1
    end
    return n
  end,
  codes = function(s) return codes_next, s, 0 end,
  sub = function(s, from, to)
    local at, n, first = 1, 0, nil
    to = to or raw.math.huge
    while at <= #s do
      n = n + 1
      if n == from then first = at end
      local _, len = decode(s, at)
      if n > to then break end
      at = at + (len or 1)
    end
    if not first then return "" end
    return sub(s, first, at - 1)
  end,
})

-- require: the plugin's own lib/ only -----------------------------------------------------------

local loaded = {}
function env.require(name)
  if loaded[name] ~= nil then return loaded[name] end
  local f = type(name) == "string" and raw.slot("lib:" .. name)
  if not f then
    error(("no module '%s': require finds the files of this plugin's lib/ only")
      :format(tostring(name)), 2)
  end
  local value = f(name)
  loaded[name] = value == nil and true or value
  return loaded[name]
end

-- JSON null and the mark of a list, which cross the door unchanged.
env.null = raw.null

-- Until `seal` the SDK may add globals and hold the door; a plugin sees only what is left then.
env.host = raw.door
env.export = raw.export
env.array_mt = raw.array_mt
env.freeze = freeze
env.clock_ms = clock_ms

-- Runs a chunk for what it registers: what it returns stays here.
raw.export("run", function(slot, ...) raw.slot(slot)(...) end)

-- What one slot returns goes to another: a file's table of functions, which cannot cross.
raw.export("pass", function(from, to, ...) return raw.slot(to)(raw.slot(from)(...)) end)

raw.export("seal", function()
  for _, name in raw.ipairs { "host", "export", "array_mt", "freeze", "clock_ms" } do
    env[name] = nil
  end
  env._G = setmetatable({}, {
    __index = env,
    __newindex = function() error("_G is read-only", 2) end,
    __metatable = false,
  })
  frozen[env._G] = "_G"
  frozen[env] = "_G"
  setmetatable(env, {
    __newindex = function(_, key)
      local name = tostring(key)
    error(("global '%s' is not declared: use 'local %s'"):format(name, name), 2)
    end,
    __metatable = false,
  })
end)

return env, next
