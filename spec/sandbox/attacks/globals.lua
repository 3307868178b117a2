-- Names that lead out of the sandbox, or that would change it for all who run in it.

local function absent(name) return ("main.lua:1: attempt to call global '%s' (a nil value)"):format(name) end
local function no_library(name) return ("main.lua:1: attempt to index global '%s' (a nil value)"):format(name) end

return {
  { name = "compiles text with load", source = "return load('return 1')()", must = { raises = absent "load" } },
  { name = "compiles text with loadstring", source = "return loadstring('return 1')()",
    must = { raises = absent "loadstring" } },
  { name = "runs a file", source = "return dofile('/etc/passwd')", must = { raises = absent "dofile" } },
  { name = "compiles a file", source = "return loadfile('/etc/passwd')", must = { raises = absent "loadfile" } },
  { name = "opens a file", source = "return io.open('/etc/passwd'):read('*a')", must = { raises = no_library "io" } },
  { name = "runs a command", source = "return os.execute('id')",
    must = { raises = "main.lua:1: attempt to call field 'execute' (a nil value)" } },
  { name = "ends the process", source = "os.exit(1)",
    must = { raises = "main.lua:1: attempt to call field 'exit' (a nil value)" } },
  { name = "reads the environment of the process", source = "return os.getenv('PATH')",
    must = { raises = "main.lua:1: attempt to call field 'getenv' (a nil value)" } },
  { name = "looks for what else os could hold", must = { gives = { 0 } }, source = [[
    local n = 0
    for _, name in ipairs { "execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale" } do
      if os[name] ~= nil or rawget(os, name) ~= nil then n = n + 1 end
    end
    return n]] },
  { name = "asks the debug library for locals", source = "return debug.getlocal(1, 1)",
    must = { raises = no_library "debug" } },
  { name = "loads the ffi", source = "local ffi = require 'ffi' return ffi.C",
    must = { raises = "main.lua:1: no module 'ffi': require finds the files of this plugin's lib/ only" } },
  { name = "switches the JIT on", source = "jit.on()", must = { raises = no_library "jit" } },
  { name = "looks into package.loaded", source = "return package.loaded.io", must = { raises = no_library "package" } },
  { name = "requires a module of the platform", source = "local m = require 'parley.store'",
    must = { raises = "main.lua:1: no module 'parley.store': require finds the files of this plugin's lib/ only" } },
  { name = "requires a path that climbs", source = "local m = require '../../etc/passwd'",
    must = { raises = "main.lua:1: no module '../../etc/passwd': require finds the files of this plugin's lib/ only" } },
  { name = "requires another slot of its own state", source = "local m = require 'x\\0:seal'", lib = { y = "return 1" },
    must = { raises = "main.lua:1: no module 'x" } },
  { name = "requires a module anew by longer names, with a zero in them", lib = { x = "return {}" },
    source = "local a, m = require 'x', require 'x\\0 again' return a == m", must = { raises = "main.lua:1: no module 'x" } },
  { name = "requires a table, to be told its address", source = "local m = require({})",
    must = { raises = "main.lua:1: bad argument #1 to 'require' (string expected, got table)" } },
  { name = "makes userdata with newproxy", source = "return newproxy(true)", must = { raises = absent "newproxy" } },
  { name = "stops the collector", source = "collectgarbage('stop')", must = { raises = absent "collectgarbage" } },
  { name = "prints to the host's output", source = "print('x')", must = { raises = absent "print" } },
  { name = "declares a module", source = "module('evil', package.seeall)", must = { raises = no_library "package" } },
  { name = "seeds the host's chance", source = "math.randomseed(1)",
    must = { raises = "main.lua:1: attempt to call field 'randomseed' (a nil value)" } },
  { name = "keeps the loader's door after the seal", must = { gives = { 0 } }, source = [[
    local n = 0
    for _, name in ipairs { "host", "export", "array_mt", "freeze", "clock_ms", "raw", "slot", "canary" } do
      if _G[name] ~= nil then n = n + 1 end
    end
    return n]] },
  { name = "declares a global", source = "evil = 1",
    must = { raises = "main.lua:1: global 'evil' is not declared: use 'local evil'" } },
  { name = "replaces a global function", source = "local old = pcall pcall = nil return old",
    must = { raises = "main.lua:1: global 'pcall' is read-only" } },
  { name = "replaces a library", source = "string = {}", must = { raises = "main.lua:1: global 'string' is read-only" } },
  { name = "declares a global under a table, to be told its address", source = "_G[{}] = 1",
    must = { raises = "main.lua:1: global 'table' is not declared: use 'local table'" } },
  { name = "declares a global in a function of its own", source = "local function f() leaked = 1 end\nf()",
    must = { raises = "main.lua:1: global 'leaked' is not declared: use 'local leaked'" } },
}
