-- The string library of a sandboxed state. Patterns, and what calls back or grows, are the host's
-- own (host/engine/lib.h); the rest is LuaJIT's, whose work is no more than its memory.

local raw, shared = ...

local error, type, select, ipairs = raw.error, raw.type, raw.select, raw.ipairs
local getmetatable, tonumber, unpack = raw.getmetatable, raw.tonumber, raw.unpack
local stock, lib, tostring = raw.string, raw.lib, shared.tostring

-- Left out: dump, which makes bytecode.
local strings = {}
for _, name in ipairs {
  "len", "sub", "lower", "reverse", "upper", -- read a text once, and make none that is longer
  "byte", "char", -- as many values as fit on a stack
} do
  strings[name] = stock[name]
end
strings.rep = lib.rep_within(stock.rep) -- what it makes is counted before it is made

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
  if not (is_text(s) and is_text(pattern) and (max == nil or tonumber(max))) then
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
local prints_all, stock_format = lib.prints_all, stock.format
function strings.format(fmt, ...)
  if prints_all(fmt, ...) then return stock_format(fmt, ...) end
  local args, n = { ... }, select("#", ...)
  for i = 1, n do
    if not is_text(args[i]) then args[i] = tostring(args[i]) end
  end
  return stock_format(fmt, unpack(args, 1, n))
end

return strings
