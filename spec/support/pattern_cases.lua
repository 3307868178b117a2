-- Cases for the string functions that take patterns, made from a seed: the same source runs in a
-- sandboxed state and in the core, whose stock functions are the reference.
-- Called with (seed, n) it runs n cases and returns what each gave, as text.

local seed, n, show = ...

local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local floor, concat = math.floor, table.concat

-- Lehmer's generator, the same everywhere.
local state = seed % 2147483646 + 1
local function random(m)
  state = (state * 16807) % 2147483647
  return floor(state / 2147483647 * m) + 1
end
local function one_of(list) return list[random(#list)] end
local function chance(percent) return random(100) <= percent end

local SINGLES = {
  "a", "b", "a", "b", "c", "x", ".", ".", "%a", "%d", "%s", "%w", "%W", "%l", "%u", "%p", "%c", "%x", "%g", "%S", "%z", "%Z",
  "%.", "%%", "%-", "%]", "%e", "%é", "\200", "]", "-", "[ab]", "[^ab]", "[a-c]", "[%w_]", "[]]", "[^]]", "[a-]", "[-a]", "[%]x]",
  "[^%s%d]", "[]-a]", "[%a-z]", "[a-%%]", "[\128-\255]", "[^%W]", "[b-a]", "[.]", "[^.*]", "[%z\1-\31]", "[a%", "[%",
}
local QUANTIFIERS = { "", "", "", "*", "+", "-", "?", "*", "-" }
local SPECIAL = { "()", "%b()", "%bab", "%baa", "%f[%w]", "%f[^a]", "%f[%z]", "%1", "%2", "%0", "%9", "^", "$" }
local BROKEN = { "(", ")", "[", "[^", "%", "%b", "%b(", "%f", "%fa", "[a-", "\0", "())", "(()", "[]", "[^]" }
local RAW = { "a", "b", "(", ")", "%", "[", "]", "^", "$", ".", "*", "+", "-", "?", "1", "f", "\0", "z" }

local function pieces(depth)
  local out = {}
  for i = 1, random(3) do
    local kind = random(20)
    if kind <= 13 then
      out[i] = one_of(SINGLES) .. one_of(QUANTIFIERS)
    elseif kind <= 16 and depth < 3 then
      out[i] = "(" .. pieces(depth + 1) .. ")"
    elseif kind <= 19 then
      out[i] = one_of(SPECIAL) .. (chance(10) and one_of(QUANTIFIERS) or "")
    else
      out[i] = chance(40) and one_of(BROKEN) or "a"
    end
  end
  return concat(out)
end

local function pattern()
  if chance(15) then
    local out = {}
    for i = 1, random(7) do out[i] = one_of(RAW) end
    return concat(out)
  end
  return (chance(15) and "^" or "") .. pieces(1) .. (chance(10) and "$" or "")
end

local ALPHABETS = {
  { "a", "b" }, { "a", "b", "c", "x", " ", "1" }, { "(", ")", "a", "b" }, { "a", "A", "_", "9", ".", "-", "%", "]", "[", "\n" },
  { "\0", "a", "\200", "\255", "é", "\127", "\1" },
}

local function subject()
  local letters, out = one_of(ALPHABETS), {}
  for i = 1, random(17) - 1 do out[i] = one_of(letters) end
  return concat(out)
end

local INITS = {
  1, 1, 2, 3, 5, 17, 18, 40, 0, -1, -2, -16, -40, 1.9, -1.9, "2", "x", 2 ^ 31, -2 ^ 31, 2 ^ 40, 1 / 0, -1 / 0, 0 / 0, false, {},
}
local function init() if chance(60) then return nil end return one_of(INITS) end

local TEXTS = { "", "x", "<%0>", "%1", "%2%1", "%%", "%", "a%", "%a", "[%0%0]", "é", "-%9-", "\0", 7, 0.5 }
local TABLE = { a = "1", b = false, ab = 2, [""] = "_", ["("] = "p", [1] = "one", [2] = 2, x = "x" }
local BAD = { a = {}, b = true, [1] = next, x = "x" }
local VIRTUAL = setmetatable({ a = "A" }, { __index = function(_, k) return k ~= "x" and "<" .. k .. ">" or nil end })
local REPLS = {
  function(...) return select("#", ...) .. ":" .. tostring((...)) end,
  function(a, b) return b or a end,
  function() return nil end,
  function(a) if a == "a" then return false end return "f" end,
  function(a) return a == "b" and {} or nil end,
  function(a) if a == "x" then error("mine", 0) end return 1 end,
  function() end,
}
local function replacement()
  local kind = random(10)
  if kind <= 4 then return one_of(TEXTS) end
  if kind <= 7 then return one_of(REPLS) end
  if kind == 8 then return TABLE end
  if kind == 9 then return chance(50) and VIRTUAL or BAD end
  return one_of { true, false, TABLE, "%1" }
end

local function text_of(...)
  local out = {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    out[i] = type(v) == "string" and ("%q"):format(v) or tostring(v)
  end
  local text = concat(out, " ")
  -- Where the error was is another matter, and so is what the function is called there.
  text = gsub(text, "[%w_/.@\"=]*:%d+: ", "")
  return (gsub(text, "to '[^']*'", "to it"))
end

local function all_of(s, p)
  local out, count = {}, 0
  for a, b, c in gmatch(s, p) do
    count = count + 1
    out[count] = text_of(a, b, c)
    if count == 40 then break end
  end
  return concat(out, ",")
end

local KINDS = {
  function(s, p) return "find", s, p, find, init(), chance(10) and one_of { true, false, 0, 1 } or nil end,
  function(s, p) return "match", s, p, match, init() end,
  function(s, p) return "gmatch", s, p, all_of end,
  function(s, p) return "gsub", s, p, gsub, replacement(), init() end,
}

local function run(name, s, p, f, x, y)
  if chance(1) then s = one_of { 12.5, {}, 12, true } end
  if chance(1) then p = one_of { 2, {}, false } end
  local result = text_of(pcall(f, s, p, x, y))
  if not show then return result end
  return ("%s(%s) -> %s"):format(name, text_of(s, p, x, y), result)
end

local results = {}
for i = 1, n do results[i] = run(KINDS[random(#KINDS)](subject(), pattern())) end
return results
