-- Text that crashes LuaJIT while it is compiled (LuaJIT #1033: the compiler guesses what a loop calls by the name of a local
-- that was never filled in). It may only end a process: that of an isolated plugin, or the one that is thrown away, in which
-- every source is compiled first.

return {
  { name = "loops over a method of nil behind an unused local", source = "local _\nfor _ in (nil):foo() do end" },
  { name = "does so in a function that is never called",
    source = "return function() local _ for _ in (nil):foo() do end end" },
  { name = "does so with two names", source = "local a\nfor b, c in (nil):d() do end" },
  { name = "does so in a module",
    source = "local M = {}\nfunction M.f()\n  local x\n  for y in (nil):z() do end\nend\nreturn M" },
}
