-- Recursion: of Lua, of C by callbacks, of coroutines and modules. Each ends with an error that can be caught, or with a limit.

return {
  { name = "recurses in Lua", source = "local function f() return 1 + f() end\nf()", must = { raises = "stack overflow" } },
  { name = "recurses in pcall", must = { gives = { "boolean" } },
    source = "local function f() return pcall(f) end return type(f())" },
  { name = "recurses in xpcall", must = { gives = { "boolean" } },
    source = "local function f() return (xpcall(f, f)) end return type(f())" },
  { name = "recurses in __index", must = { gives = { false } },
    source = [[
    local t t = setmetatable({}, { __index = function(_, k) return t[k + 1] + 1 end }) return
    (pcall(function() return t[1] end))]] },
  { name = "recurses in __newindex", must = { gives = { false } },
    source = [[
    local t t = setmetatable({}, { __newindex = function(_, k, v) t[k] = v return 1 end }) return
    (pcall(function() t.x = 1 end))]] },
  { name = "recurses in __concat", must = { gives = { false } },
    source = [[
    local t t = setmetatable({}, { __concat = function(a, b) return (a .. b) .. 1 end }) return
    (pcall(function() return t .. 'x' end))]] },
  { name = "recurses in __eq", must = { gives = { false } },
    source = [[
    local m = {} m.__eq = function(a, b) return not (a == b) end return (pcall(function()
    return setmetatable({}, m) == setmetatable({}, m) end))]] },
  { name = "recurses in __lt", must = { gives = { false } },
    source = [[
    local m = {} m.__lt = function(a, b) return not (a < b) end return (pcall(function()
    return setmetatable({}, m) < setmetatable({}, m) end))]] },
  { name = "recurses in __call", must = { gives = { false } },
    source = "local t t = setmetatable({}, { __call = function() return 1 + t() end }) return (pcall(t))" },
  { name = "recurses in tostring", must = { gives = { false } },
    source = [[
    local t t = setmetatable({}, { __tostring = function(x) return 'x' .. tostring(x) end }) return
    (pcall(tostring, t))]] },
  { name = "recurses in string.format", must = { gives = { false } },
    source = [[
    local t t = setmetatable({}, { __tostring = function(x) return string.format('%s!', x) end }) return
    (pcall(tostring, t))]] },
  { name = "recurses in a comparator of sort", must = { gives = { false } }, cpu_ms = 20000,
    source = "local function f() table.sort({ 1, 2 }, f) return true end return (pcall(f))" },
  { name = "recurses in a field of os.time", must = { gives = { false } }, cpu_ms = 20000,
    source = "local t t = setmetatable({}, { __index = function() return os.time(t) end }) return (pcall(os.time, t))" },
  { name = "recurses in coroutine.wrap", must = { gives = { false } },
    source = "local function f() return coroutine.wrap(f)() end return (pcall(f))" },
  { name = "recurses in coroutine.resume", must = { gives = { "number" } },
    source = "local n = 0 local function f() n = n + 1 coroutine.resume(coroutine.create(f)) end f() return type(n)" },
  { name = "recurses in require", source = "return require 'a'",
    lib = { a = "local b = require 'b'", b = "local a = require 'a'" }, must = { raises =
    "lib/b.lua:1: module 'a' requires itself, by way of other modules or at once" } },
  { name = "requires a module that requires itself", source = "return require 'a'", lib = { a = "local me = require 'a'" },
    must = { raises =
    "lib/a.lua:1: module 'a' requires itself, by way of other modules or at once" } },
  { name = "recurses in an iterator", must = { gives = { false } },
    source = "local function f() for x in f do return x end end return (pcall(f))" },
  { name = "recurses in an error handler", must = { gives = { "boolean" } }, cpu_ms = 20000,
    source = "local function h() return xpcall(error, h) end return type((xpcall(error, h)))" },
  { name = "recurses with all arguments of the stack", must = { gives = { false } },
    source = "local function f(...) return 1 + f(1, ...) end return (pcall(f))" },
  { name = "recurses in patterns by depth", must = { gives = { false } },
    source = "return (pcall(string.match, ('x'):rep(250000), ('x?'):rep(250000)))" },
  { name = "recurses in a callback of gsub", must = { gives = { false } }, cpu_ms = 20000,
    source = "local function f(s) return (s:gsub('.', f)) end return (pcall(f, 'x'))" },
  { name = "recurses in a table of gsub", must = { gives = { false } }, cpu_ms = 20000,
    source = [[
    local t t = setmetatable({}, { __index = function(_, k) return (k:gsub('.', t)) end }) return
    (pcall(string.gsub, 'x', '.', t))]] },
}
