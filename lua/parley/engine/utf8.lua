-- utf8: what Lua 5.3 has of it, and `sub`. Lua, so that it is interrupted like a plugin's own code.

local raw, shared = ...

local select, unpack, concat = raw.select, raw.unpack, raw.table.concat
local floor, huge = raw.math.floor, raw.math.huge
local byte, char, sub = raw.string.byte, raw.string.char, raw.string.sub
local check, misuse = shared.check, shared.misuse

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
  check(s, "string", 1, "codes")
  local at = check(i, "number", 2, "codes") + 1
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

return {
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
    return concat(out)
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
    return unpack(out, 1, n)
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
    to = to == nil and huge or check(to, "number", 3, "sub")
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
}
