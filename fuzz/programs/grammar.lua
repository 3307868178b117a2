-- Random programs, mostly valid: one statement on a line, blocks indented, so that whoever makes a
-- failing one smaller can take lines and whole blocks away.

local chance = require "fuzz.lib.chance"
local expressions = require "fuzz.programs.expressions"
local library = require "fuzz.programs.library"
local values = require "fuzz.programs.values"

local M = {}

local STATEMENTS = 25 -- of one program, at most; blocks count as one more
local DEPTH = 5
local LOCALS = 100    -- LuaJIT: at most 200 of one function

local G = {}
G.__index = G

function G:emit(fmt, ...)
  local text = select("#", ...) > 0 and fmt:format(...) or fmt
  self.lines[#self.lines + 1] = ("  "):rep(self.depth) .. text
end

function G:fresh(prefix)
  self.count = self.count + 1
  return prefix .. self.count
end

---@param name string
---@param kind string|nil what it is likely to hold: n s t f c
function G:declare(name, kind)
  self.scope[#self.scope + 1] = name
  self.kinds[name] = kind
end

---A variable that is in sight; with a kind, mostly one that holds such a value.
function G:variable(kind)
  local name = self.chance:one_of(self.scope)
  for _ = 1, kind and 6 or 0 do
    if self.kinds[name] == kind then break end
    name = self.chance:one_of(self.scope)
  end
  return name
end

---A variable to write to: seldom one of the two that lead to everything else.
function G:target()
  if #self.scope == 2 or self.chance:one_in(20) then return self:variable() end
  return self.scope[self.chance:int(3, #self.scope)]
end

---The lines of a block, with its own scope. `first` is called inside it, before the statements.
function G:block(first, statements)
  local names = #self.scope
  self.depth = self.depth + 1
  if first then first() end
  for _ = 1, statements or self.chance:int(1, 4) do self:statement() end
  self.depth = self.depth - 1
  for i = #self.scope, names + 1, -1 do self.scope[i] = nil end
end

---The body of a function, up to and with its `end`. Loops and labels outside are not in sight.
function G:body(parameters, vararg, close)
  local loops, was_vararg = self.loops, self.vararg
  self.loops, self.vararg = 0, vararg
  self:block(function()
    for _, name in ipairs(parameters) do self:declare(name) end
  end)
  self.depth = self.depth + 1
  if not self.chance:one_in(3) then self:emit("return %s", self:list(3)) end
  self.depth = self.depth - 1
  self.loops, self.vararg = loops, was_vararg
  self:emit(close or "end")
end

function G:parameters()
  local names = {}
  for i = 1, self.chance:int(0, 3) do names[i] = self:fresh "a" end
  local vararg = self.chance:one_in(3)
  local text = table.concat(names, ", ")
  if vararg then text = text == "" and "..." or text .. ", ..." end
  return text, names, vararg
end

-- statements --------------------------------------------------------------------------------------

local function new_local(g)
  if #g.scope > LOCALS then return g:emit("%s = %s", g:target(), g:expression()) end
  local name, kind = g:fresh "v", nil
  local value
  if g.chance:one_in(4) then
    value = g:expression()
  else
    kind = g.chance:one_of { "n", "s", "t", "t", "f", "c" }
    value = g:argument(kind)
  end
  g:emit("local %s = %s", name, value)
  g:declare(name, kind)
end

local function assign(g) g:emit("%s = %s", g:target(), g:expression()) end

local function assign_many(g)
  local value = g:list(3)
  g:emit("%s, %s = %s", g:target(), g:target(), value)
end

local function assign_index(g)
  g:emit("%s[%s] = %s", g:table_variable(), g:key(), g:expression())
end

local function assign_field(g)
  local name = g.chance:one_of { "x", "y", "next", "n" }
  g:emit("%s.%s = %s", g:table_variable(), name, g:expression())
end

local function define(g)
  local name = g:fresh "f"
  local text, names, vararg = g:parameters()
  g:emit("local function %s(%s)", name, text)
  g:declare(name, "f") -- it may call itself
  g:body(names, vararg)
end

-- Around a function that is written in place: what comes before its parameters, and after its body.
local CALLS_BACK = {
  { 6, { "pcall(function(", "end%a)" } }, { 3, { "xpcall(function(", "end, %f)" } },
  { 2, { "xpcall(%f, function(", "end)" } }, { 4, { "coroutine.wrap(function(", "end)(%l)" } },
  { 3, { "coroutine.resume(coroutine.create(function(", "end)%a)" } },
  { 3, { "string.gsub(%s, %p, function(", "end)" } }, { 3, { "table.sort(%t, function(", "end)" } },
  { 1, { "pcall(string.gsub, %s, %p, function(", "end)" } },
  { 1, { "pcall(pcall, xpcall, function(", "end, %f)" } },
  { 1, { "tostring(setmetatable({}, { __tostring = function(", "end }))" } },
  { 1, { "assert(pcall(coroutine.wrap(function(", "end)%a))" } },
}

local function call_back(g)
  local text, names, vararg = g:parameters()
  local function fill(template)
    return (template:gsub("%%(%l)", function(kind)
      if kind == "a" then return ", " .. g:list(2) end
      if kind == "l" then return g:list(2) end
      return g:argument(kind)
    end))
  end
  local around = g.chance:weighted(CALLS_BACK)
  local head, tail = fill(around[1]) .. text .. ")", fill(around[2])
  local target = g.chance:one_in(3) and "" or ("local %s, %s = "):format(g:fresh "v", g:fresh "v")
  local first, second = target:match "(v%d+), (v%d+)"
  g:emit("%s", target .. head)
  g:body(names, vararg, tail)
  if first then
    g:declare(first)
    g:declare(second)
  end
end

local function metatable(g)
  local target = g:table_variable()
  g:emit("setmetatable(%s, {", target)
  g.depth = g.depth + 1
  for _ = 1, g.chance:int(1, 3) do
    local event = g.chance:one_of(library.events)
    if g.chance:one_in(2) then
      local text, names, vararg = g:parameters()
      g:emit("%s = function(%s)", event, text)
      g:body(names, vararg, "end,")
    else
      g:emit("%s = %s,", event, g:argument(g.chance:one_of { "f", "f", "t", "a", "w" }))
    end
  end
  g.depth = g.depth - 1
  g:emit "})"
end

local function use_operators(g)
  local v = g:fresh "v"
  local a, b = g:variable(), g:variable()
  g:emit("local %s = %s", v, g.chance:one_of {
    a .. " .. " .. b, a .. " < " .. b, a .. " <= " .. b, a .. " == " .. b, "#" .. a, "-" .. a,
    a .. " + " .. b, a .. "()", a .. "." .. "x", a .. "[" .. b .. "]", "not " .. a,
  })
  g:declare(v)
end

local function call(g) g:emit("local %s = %s", g:fresh "_", g:call()) end

local function branch(g)
  g:emit("if %s then", g:expression())
  g:block()
  if g.chance:one_in(2) then
    g:emit(g.chance:one_in(3) and "elseif true then" or "else")
    g:block()
  end
  g:emit "end"
end

-- Most loops end soon; some only by force.
local LOOPS = {
  { 10, "for %i = 1, %d do" }, { 3, "for %i = %n, %n, %n do" },
  { 6, "for %i, %j in pairs(%t) do" }, { 5, "for %i, %j in ipairs(%t) do" },
  { 3, "for %i in string.gmatch(%s, %p) do" }, { 2, "for %i, %j in utf8.codes(%s) do" },
  { 3, "for %i, %j in %f do" }, { 2, "for %i in coroutine.wrap(%f) do" },
  { 2, "for %i, %j in next, %t do" }, { 3, "while %e do" }, { 1, "while true do" },
}

local function loop(g)
  local v, names = g:fresh "i", {}
  local head = g.chance:weighted(LOOPS)
  head = head:gsub("%%(%l)", function(kind)
    if kind == "i" then
      names[#names + 1] = v
      return v
    elseif kind == "j" then
      names[#names + 1] = v .. "_"
      return v .. "_"
    elseif kind == "d" then
      return tostring(g.chance:one_of { 1, 3, 10, 100, 1000 })
    elseif kind == "e" then
      return g:expression()
    end
    return g:argument(kind)
  end)
  g:emit("%s", head)
  g.loops = g.loops + 1
  g:block(function()
    for _, name in ipairs(names) do g:declare(name) end
  end)
  g.loops = g.loops - 1
  g:emit "end"
end

local function repeat_until(g)
  g:emit "repeat"
  g.loops = g.loops + 1
  g:block()
  g.loops = g.loops - 1
  g:emit("until %s", g:expression())
end

local function leave(g)
  if g.loops > 0 and g.chance:one_in(2) then
    g:emit("if %s then break end", g:expression())
  else
    g:emit("if %s then return %s end", g:expression(), g:list(3))
  end
end

-- Labels at the end of a block and at its beginning: forward past statements, and back for a while.
local function jump(g)
  local label, n = g:fresh "l", g:fresh "n"
  g:emit "do"
  g:block(function()
    if g.chance:one_in(2) then
      g:emit("local %s = 0", n)
      g:emit("::%s_again::", label)
      g:emit("%s = %s + 1", n, n)
      g:emit("if %s < %d then goto %s_again end", n, g.chance:int(1, 9), label)
    end
    g:emit("if %s then goto %s end", g:expression(), label)
    g:emit "do"
    g:block()
    g:emit "end"
    g:emit("::%s::", label)
  end, 0)
  g:emit "end"
end

-- What grows until something stops it.
local function grow(g)
  local v, n = g:fresh "v", g.chance:one_of { "10", "100", "1e3", "1e4", "1e9" }
  local source = g.chance:one_of {
    "local %v = \"x\" for _ = 1, %n do %v = %v .. %v:sub(1, 100) end",
    "local %v = {} for i = 1, %n do %v[i] = { i, i .. \"\" } end",
    "local %v = {} for i = 1, %n do %v[i] = coroutine.create(function() end) end",
    "local %v = {} for _ = 1, %n do %v = { %v } end",
    "local %v = {} for i = 1, %n do %v[#%v + 1] = (\"y\"):rep(i) end",
    "local %v = \"z\" for _ = 1, %n do %v = table.concat({ %v, %v, %v }, \",\"):sub(1, 2e5) end",
    "local function %v(x) return pcall(%v, x) end",
    "local function %v(x) return (x:gsub(\".\", %v)) end",
    "local function %v(x) return coroutine.wrap(%v)(x) end",
    "local function %v(x) local _ = { %v(x) } end",
    "local %v = setmetatable({}, {}) getmetatable(%v).__index = %v",
    "local %v = { 1 } for _ = 1, 14 do %v = { unpack(%v), %v } end",
    "local %v = function(x) return table.sort({ 3, 1, 2 }, x) end",
  }
  g:emit("%s", (source:gsub("%%v", v):gsub("%%n", n)))
  g:declare(v)
end

local function keep(g)
  if g.chance:one_in(2) then
    g:emit("shared.%s = %s", g.chance:one_of { "a", "b", "co" }, g:expression())
  else
    g:emit("shared.co = coroutine.create(%s)", g:argument "f")
  end
end

local SIMPLE = {
  { 14, new_local }, { 5, assign }, { 2, assign_many }, { 6, assign_index }, { 4, assign_field },
  { 12, call }, { 7, use_operators }, { 4, leave }, { 4, grow }, { 3, keep },
}
local NESTED = { { 6, define }, { 12, call_back }, { 6, metatable }, { 5, branch }, { 6, loop },
  { 2, repeat_until }, { 2, jump } }

-- What raises an error ends its section, and the next one begins.
local function section(g)
  g:emit "pcall(function(...)"
  g:body({}, true, "end, shared)")
end

function G:statement()
  self.budget = self.budget - 1
  if self.budget > 0 and self.depth < DEPTH and self.chance:one_in(3) then
    self.chance:weighted(NESTED)(self)
  elseif self.budget > -20 then
    self.chance:weighted(SIMPLE)(self)
  else
    self:emit("%s = %s", self:target(), self.chance:one_of(values.numbers))
  end
end

for name, method in pairs(expressions) do G[name] = method end

-- Handlers that the events of a plugin reach; they share upvalues with all that ran before.
local function handlers(g)
  g.vararg = false
  for _, name in ipairs { "any", "error", "text", "command" } do
    if g.chance:one_in(2) then
      g:emit("shared.%s = function(c, a0)", name)
      g:block(function()
        g:declare "a0"
        if g.chance:one_in(2) then section(g) end
      end, 1)
      g:body({ "a0" }, false)
    end
  end
  g.vararg = true
end

---A program: a chunk that runs in a plugin's state behind the SDK (fuzz.programs.rig).
---@param seed integer
---@param number integer
---@return string source
function M.program(seed, number)
  local g = setmetatable({
    chance = chance.new(seed, number), lines = {}, scope = { "shared", "c" }, depth = 0, count = 0,
    loops = 0, vararg = true, budget = 0, kinds = { shared = "t", c = "t" },
  }, G)
  g.budget = g.chance:int(3, STATEMENTS)
  g:emit "local shared = require \"shared\""
  g:emit "local c = shared.c"
  while g.budget > 0 do
    if g.chance:one_in(4) then g:statement() else section(g) end
  end
  handlers(g)
  g:emit("return %s", g:list(3))
  return table.concat(g.lines, "\n") .. "\n"
end

return M
