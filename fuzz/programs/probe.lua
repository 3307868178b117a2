-- What no program may have changed, from inside: remembered before the first one, compared after
-- each. Returns the first difference as text.

local assert, error, getmetatable, ipairs, pairs = assert, error, getmetatable, ipairs, pairs
local pcall, rawequal, select, setmetatable = pcall, rawequal, select, setmetatable
local tostring, type, xpcall = tostring, type, xpcall
local concat, sort, format = table.concat, table.sort, string.format
local G = _G

local GLOBALS = {
  "_G", "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "null", "pairs", "parley",
  "pcall", "rawequal", "rawget", "rawset", "require", "select", "setmetatable", "tonumber",
  "tostring", "type", "unpack", "xpcall",
}
local LIBRARIES = {
  string = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
    "sub", "upper",
  },
  table = { "concat", "insert", "maxn", "remove", "sort" },
  math = { "abs", "floor", "huge", "max", "min", "pi", "random", "sqrt" },
  bit = { "band", "bor", "bxor", "lshift", "tobit", "tohex" },
  os = { "clock", "date", "difftime", "time" },
  coroutine = { "create", "isyieldable", "resume", "running", "status", "wrap", "yield" },
  utf8 = { "char", "charpattern", "codepoint", "codes", "len", "sub" },
  parley = { "json", "name", "now", "plugin", "text", "uuid" },
}
local GONE = {
  "load", "loadstring", "dofile", "loadfile", "getfenv", "setfenv", "newproxy", "collectgarbage",
  "io", "package", "debug", "jit", "ffi", "module", "print", "host", "export", "array_mt", "freeze",
  "clock_ms", "arg", "gcinfo",
}

local function snapshot()
  local out = {}
  for _, name in ipairs(GLOBALS) do out[name] = G[name] end
  for library, names in pairs(LIBRARIES) do
    out[library] = G[library]
    for _, name in ipairs(names) do out[library .. "." .. name] = G[library][name] end
  end
  for _, name in ipairs(GONE) do out["no " .. name] = G[name] end
  return out
end

local function names_of(t)
  local out = {}
  for name in pairs(t) do out[#out + 1] = name end
  sort(out)
  return out
end

local function write_global() new_global = 1 end -- luacheck: ignore
local function write_library(name)
  return function() G[name].new = 1 end
end

-- That the primitives still do what they are there for.
local function works()
  assert(("x"):upper() == "X" and ("%d"):format(7) == "7" and #"abc" == 3)
  assert(select("#", pcall(error, "e")) == 2 and select(2, xpcall(error, type, "e")) == "string")
  assert(concat(names_of { b = 1, a = 2 }, ",") == "a,b")
  local seen = {}
  for i in G.coroutine.wrap(function() for i = 1, 3 do G.coroutine.yield(i) end end) do
    seen[#seen + 1] = i
  end
  assert(#seen == 3 and seen[3] == 3)
  assert(setmetatable({}, { __index = { x = 1 } }).x == 1)
end

local before = snapshot()
local all = names_of(before)

return function()
  local now = snapshot()
  for _, name in ipairs(all) do
    if not rawequal(before[name], now[name]) then return name .. " is another one" end
  end
  for _, name in ipairs(names_of(now)) do
    if before[name] == nil then return name .. " is new" end
  end
  for name in pairs(LIBRARIES) do
    if pcall(write_library(name)) then return name .. " can be written" end
  end
  if pcall(write_global) then return "a global can be written" end
  local ok, mt = pcall(getmetatable, "")
  if ok and mt then return "strings show their metatable" end
  local good, problem = pcall(works)
  if not good then return format("the primitives do not work: %s", tostring(problem)) end
  return nil
end
