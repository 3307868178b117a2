---@meta _

-- What a plugin's state has beside plain Lua, and of `os` what it has at all, for editors (LuaCATS).
-- There is no io, debug, ffi, load or print.

---JSON's null, where nil would be nothing.
---@type userdata
null = nil

---@class parley.os
os = {}

---@param t? {year: integer, month: integer, day: integer, hour: integer?, min: integer?, sec: integer?} in UTC
---@return integer seconds since 1970
function os.time(t) end

---@param format? string
---@param t? integer seconds since 1970, default now; the date is of UTC
---@return string|table
function os.date(format, t) end

---@param a number
---@param b number
---@return number seconds
function os.difftime(a, b) end

---@return number seconds
function os.clock() end

---@class parley.utf8
---@field charpattern string fits one character
utf8 = {}

---@param ... integer code points
---@return string
function utf8.char(...) end

---@param s string
---@param i? integer first byte, default 1
---@param j? integer last byte, default i
---@return integer ... code points
function utf8.codepoint(s, i, j) end

---@param s string
---@return integer|nil characters
---@return integer|nil byte where s is no UTF-8
function utf8.len(s) end

---for byte, code in utf8.codes(s) do
---@param s string
---@return fun(s: string, i: integer): integer, integer
---@return string
---@return integer
function utf8.codes(s) end

---@param s string
---@param from integer first character
---@param to? integer last character, default the last there is
---@return string
function utf8.sub(s, from, to) end
