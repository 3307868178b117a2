-- The text itself: bytecode, what overloads the compiler, what it would load behind our back.

local function many(n, f)
  local out = {}
  for i = 1, n do out[i] = f(i) end
  return table.concat(out)
end

return {
  { name = "is bytecode", source = string.dump(function() return 1 end),
    must = { refused = "syntax", says = "attempt to load chunk with wrong mode" } },
  { name = "is bytecode without a name", source = string.dump(function() return 1 end, true),
    must = { refused = "syntax", says = "attempt to load chunk with wrong mode" } },
  { name = "is broken bytecode", source = "\27LJ\2\2" .. ("\255"):rep(64),
    must = { refused = "syntax", says = "attempt to load chunk with wrong mode" } },
  { name = "makes bytecode", source = "return string.dump(function() end)",
    must = { raises = "main.lua:1: attempt to call field 'dump' (a nil value)" } },
  { name = "loads the ffi by a 64-bit number", source = "local x = 1LL return tostring(x)",
    must = { refused = "syntax", says = "numbers with the suffix LL, ULL or i", breaks = true } },
  { name = "loads the ffi by an unsigned number", source = "return 0xffffffffffffffffULL",
    must = { refused = "syntax", says = "numbers with the suffix LL, ULL or i", breaks = true } },
  { name = "loads the ffi by an imaginary number", source = "return (2i).im",
    must = { refused = "syntax", says = "numbers with the suffix LL, ULL or i", breaks = true } },
  { name = "loads the ffi by a number in a file that is required", source = "return require 'b'",
    must = { ends = "disabled", breaks = true },
    play = function(sb)
      assert(not sb:compile("lib:b", "return 12345678901LL", "@lib/b.lua"))
      return sb:start("main", 50, 1)
    end },
  { name = "is larger than a source may be", source = "return 1 --" .. ("x"):rep(256 * 1024),
    must = { refused = "too_large", says = "at most 262144" } },
  { name = "nests parentheses without end", source = "return " .. ("("):rep(10000) .. "1" .. (")"):rep(10000),
    must = { refused = "syntax", says = "chunk has too many syntax levels" } },
  { name = "nests tables without end", source = "return " .. ("{"):rep(10000) .. ("}"):rep(10000),
    must = { refused = "syntax", says = "chunk has too many syntax levels" } },
  { name = "nests functions without end", source = ("return function() "):rep(5000) .. ("end "):rep(5000),
    must = { refused = "syntax", says = "chunk has too many syntax levels" } },
  { name = "nests blocks without end", source = ("do "):rep(20000) .. ("end "):rep(20000),
    must = { refused = "syntax", says = "chunk has too many syntax levels" } },
  { name = "has too many locals", source = many(300, function(i) return ("local v%d = %d\n"):format(i, i) end),
    must = { refused = "syntax", says = "has more than 200 local variables" } },
  { name = "has too many upvalues", must = { refused = "syntax", says = "has more than 60 upvalues" }, source =
    many(100, function(i) return ("local v%d = %d\n"):format(i, i) end) .. "return function() return " ..
    many(100, function(i) return ("v%d + "):format(i) end) .. "0 end" },
  { name = "has too many constants", source = "local t\n" .. many(20000, function(i) return ("t = %d.5\n"):format(i) end),
    must = { gives = {}, n = 0 } },
  { name = "has an expression that needs too many registers",
    must = { refused = "syntax", says = "function or expression too complex" },
    source = "local t = {} return t(" .. ("t, "):rep(300) .. "t)" },
  { name = "has a string that never ends", source = "return [==[" .. ("x"):rep(100000),
    must = { refused = "syntax", says = "unfinished long string" } },
  { name = "has a comment that never ends", source = "--[[" .. ("x"):rep(100000),
    must = { refused = "syntax", says = "unfinished long comment" } },
  { name = "jumps into the scope of a local", source = "goto done local x = 1 ::done:: return x",
    must = { refused = "syntax", says = "jumps into the scope of local 'x'" } },
  { name = "jumps to a label of another function", source = "local function f() goto out end ::out:: return f",
    must = { refused = "syntax", says = "undefined label 'out'" } },
  { name = "hides text behind a zero byte", source = "return 1 --\0\nerror 'hidden'",
    must = { refused = "syntax", says = "expected near 'error'" } },
  { name = "breaks the message of a syntax error", source = "local \27[31m\255\254 = 1",
    must = { refused = "syntax", says = "main.lua:1:" } },
  { name = "has a line that is too long for a message", source = "local " .. ("x"):rep(100000) .. " = = 1",
    must = { refused = "syntax", says = "main.lua:1:" } },
  { name = "has the compiler guess by a local that was never filled in", source = "local a\nfor b in nil do end",
    must = { raises = "main.lua:2: attempt to call a nil value" } },
}
