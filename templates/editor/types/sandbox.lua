---@meta _

-- What a plugin's state has beside plain Lua, and of `os` what it has at all, for editors (LuaCATS).
-- There is no io, debug, ffi, load or print.

-- ## Beside plain Lua (example: plain)
-- The libraries of Lua 5.1 are there, but for `io`, `debug`, `load` and `print`; see [the sandbox](sandbox.md). JSON's null is
-- `null`, and `require "name"` finds `lib/name.lua` of the plugin.

---JSON's null, where nil would be nothing.
---@type userdata
null = nil

---@class parley.os
os = {}

---Seconds of a date, or of now.
---@param t? {year: integer, month: integer, day: integer, hour: integer?, min: integer?, sec: integer?} in UTC
---@return integer time seconds since 1970
function os.time(t) end

---A date as text, or as a table for `"*t"`.
---@param format? string
---@param t? integer seconds since 1970, default now; the date is of UTC
---@return string|table
function os.date(format, t) end

---Seconds between two times.
---@param a number
---@param b number
---@return number seconds
function os.difftime(a, b) end

---Seconds on a clock that only goes on, to measure with.
---@return number seconds
function os.clock() end

---@class parley.utf8
---@field charpattern string fits one character
utf8 = {}

---The text of code points.
---@param ... integer code points
---@return string
function utf8.char(...) end

---The code points of a text.
---@param s string
---@param i? integer first byte, default 1
---@param j? integer last byte, default i
---@return integer ... code points
function utf8.codepoint(s, i, j) end

---How many characters a text has.
---@param s string
---@return integer|nil characters
---@return integer|nil byte where s is no UTF-8
function utf8.len(s) end

---Goes through the characters of a text:
---for byte, code in utf8.codes(s) do
---@param s string
---@return fun(s: string, i: integer): integer, integer
---@return string
---@return integer
function utf8.codes(s) end

---A part of a text, counted in characters.
---@param s string
---@param from integer first character
---@param to? integer last character, default the last there is
---@return string
function utf8.sub(s, from, to) end
