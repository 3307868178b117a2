-- What a program may call: the allow-list of the sandbox, the SDK and the door, with the kinds of
-- the arguments. A function of the sandbox that is missing here is named by spec/sandbox/fuzz_spec.

local M = {}

-- Kinds: a any, n number, i small integer, s string, p pattern, r replacement, m format, t table,
-- f function, c coroutine, b boolean, k key, w a callable or table with metamethods, o options of
-- the door, . end of what is needed (the rest may be left out), * more of any kind.
M.functions = {
  assert = "a.*", error = "a.i", ipairs = "t", next = "t.k", pairs = "t", pcall = "f.*",
  rawequal = "aa", rawget = "tk", rawset = "tka", select = "i*", tonumber = "a.i", tostring = "a",
  type = "a", unpack = "t.ii", xpcall = "ff.*", getmetatable = "a", setmetatable = "tw",
  require = "s",
  ["string.byte"] = "s.ii", ["string.char"] = ".iiiii", ["string.find"] = "sp.ib",
  ["string.format"] = "m*", ["string.gmatch"] = "sp", ["string.gsub"] = "spr.i",
  ["string.len"] = "s", ["string.lower"] = "s", ["string.match"] = "sp.i", ["string.rep"] = "si.s",
  ["string.reverse"] = "s", ["string.sub"] = "si.i", ["string.upper"] = "s",
  ["table.concat"] = "t.sii", ["table.insert"] = "ta.a", ["table.maxn"] = "t",
  ["table.remove"] = "t.i", ["table.sort"] = "t.f",
  ["math.abs"] = "n", ["math.acos"] = "n", ["math.asin"] = "n", ["math.atan"] = "n",
  ["math.atan2"] = "nn", ["math.ceil"] = "n", ["math.cos"] = "n", ["math.cosh"] = "n",
  ["math.deg"] = "n", ["math.exp"] = "n", ["math.floor"] = "n", ["math.fmod"] = "nn",
  ["math.frexp"] = "n", ["math.ldexp"] = "nn", ["math.log"] = "n.n", ["math.log10"] = "n",
  ["math.max"] = "n.nn", ["math.min"] = "n.nn", ["math.modf"] = "n", ["math.pow"] = "nn",
  ["math.rad"] = "n", ["math.random"] = ".nn", ["math.sin"] = "n", ["math.sinh"] = "n",
  ["math.sqrt"] = "n", ["math.tan"] = "n", ["math.tanh"] = "n",
  ["bit.arshift"] = "nn", ["bit.band"] = "n.nn", ["bit.bnot"] = "n", ["bit.bor"] = "n.nn",
  ["bit.bswap"] = "n", ["bit.bxor"] = "n.nn", ["bit.lshift"] = "nn", ["bit.rol"] = "nn",
  ["bit.ror"] = "nn", ["bit.rshift"] = "nn", ["bit.tobit"] = "n", ["bit.tohex"] = "n.i",
  ["os.clock"] = ".", ["os.date"] = ".mn", ["os.difftime"] = "n.n", ["os.time"] = ".t",
  ["coroutine.create"] = "f", ["coroutine.resume"] = "c*", ["coroutine.yield"] = "*",
  ["coroutine.status"] = "c", ["coroutine.running"] = ".", ["coroutine.isyieldable"] = ".",
  ["coroutine.wrap"] = "f",
  ["utf8.char"] = ".iii", ["utf8.codepoint"] = "s.ii", ["utf8.codes"] = "s", ["utf8.len"] = "s.ii",
  ["utf8.sub"] = "si.i",
}

---What the SDK gives, by the context `c` of a handler where it starts with "c:".
M.sdk = {
  ["parley.plugin"] = ".", ["parley.text"] = ".", ["parley.now"] = ".", ["parley.uuid"] = ".",
  ["parley.json.encode"] = "a", ["parley.json.decode"] = "s",
  ["parley.text():bold"] = "a", ["parley.text():line"] = "a", ["parley.text():link"] = "sa",
  ["parley.text():pre"] = "s.a", ["parley.text():reply"] = ".t",
  ["c:reply"] = "a", ["c:edit"] = "aa", ["c:delete"] = "a", ["c:typing"] = ".", ["c:answer"] = "a",
  ["c:emit"] = "sa", ["c:schedule"] = "t", ["c:invoke"] = "a", ["c:handoff"] = ".",
  ["c:close"] = ".", ["c:finish"] = ".", ["c:decline"] = ".", ["c:enter"] = "s", ["c:leave"] = ".",
  ["c:history"] = ".n", ["c:t"] = "s.t",
  ["c.kv:get"] = "k.o", ["c.kv:set"] = "ka.o", ["c.kv:delete"] = "k.o",
  ["c.http:request"] = "o", ["c.http:get"] = "s.o", ["c.http:delete"] = "s.o",
  ["c.http:post"] = "sa.o", ["c.http:put"] = "sa.o", ["c.http:patch"] = "sa.o",
  ["c.llm:chat"] = "a",
  ["c.log:debug"] = "a.a", ["c.log:info"] = "a.a", ["c.log:warn"] = "a.a", ["c.log:error"] = "a.a",
}

local function names_of(functions)
  local out = {}
  for name in pairs(functions) do out[#out + 1] = name end
  table.sort(out) -- the same order everywhere: choices are made by number
  return out
end

M.names = names_of(M.functions)
M.sdk_names = names_of(M.sdk)

-- The ones that call back, switch stacks or change what others look at are asked for more often.
M.control = {
  "pcall", "xpcall", "error", "coroutine.create", "coroutine.resume", "coroutine.yield",
  "coroutine.wrap", "coroutine.status", "coroutine.running", "string.gsub", "string.gmatch",
  "table.sort", "table.concat", "table.insert", "table.remove", "unpack", "select", "next",
  "setmetatable", "tostring", "string.format", "string.rep", "require", "assert",
}

M.events = {
  "__index", "__newindex", "__call", "__eq", "__lt", "__le", "__concat", "__len", "__unm", "__add",
  "__sub", "__mul", "__div", "__mod", "__pow", "__tostring", "__gc", "__mode", "__metatable",
  "__pairs", "__ipairs", "__name", "__close",
}

return M
