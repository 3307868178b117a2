-- Expressions of random programs, as methods of the generator in fuzz.programs.grammar.

local library = require "fuzz.programs.library"
local values = require "fuzz.programs.values"

local M = {}

local LITERALS = {
  { 5, values.numbers }, { 5, values.strings }, { 4, values.tables }, { 1, { "nil" } },
  { 1, { "true", "false" } }, { 1, { "null" } },
}

function M:literal() return self.chance:one_of(self.chance:weighted(LITERALS)) end

---A variable that may hold a table.
function M:table_variable() return self:variable "t" end

function M:key() return self.chance:one_in(3) and self:variable() or self.chance:one_of(values.keys) end

---Up to `most` expressions, parted by commas; at least one.
function M:list(most)
  local out = {}
  for i = 1, self.chance:int(1, most) do out[i] = self:expression() end
  if self.vararg and self.chance:one_in(6) then out[#out + 1] = "..." end
  return table.concat(out, ", ")
end

-- A function of the allow-list, or of the SDK.
function M:function_name()
  local kind = self.chance:int(1, 10)
  if kind <= 5 then
    local name = self.chance:one_of(library.control)
    return name, library.functions[name]
  elseif kind <= 8 then
    local name = self.chance:one_of(library.names)
    return name, library.functions[name]
  end
  local name = self.chance:one_of(library.sdk_names)
  return name, library.sdk[name]
end

local FUNCTIONS = {
  { 8, function(g) return g:variable "f" end },
  { 4, function(g) return (g.chance:one_of(library.control)) end },
  { 2, function(g) return (g.chance:one_of(library.names)) end },
  { 2, function(g) return ("function(...) return %s end"):format(g:inside_vararg("list", 2)) end },
  { 1, function() return "function(a, b) return a < b end" end },
  { 1, function(g) return ("coroutine.wrap(%s)"):format(g:argument "f") end },
  { 1, function(g) return ("setmetatable({}, { __call = %s })"):format(g:argument "f") end },
  { 1, function(g) return ("function() error(%s) end"):format(g:inside_vararg("literal")) end },
  { 1, function() return "function() while true do end end" end },
  { 1, function(g) return ("function() return coroutine.yield(%s) end"):format(g:inside_vararg("literal")) end },
  { 1, function() return "shared.any" end },
}

local REPLACEMENTS = { "\"%1\"", "\"%0%0\"", "\"%\"", "\"%9\"", "\"\"", "{ a = \"b\" }", "{ a = {} }" }
local OPTIONS = {
  "{ scope = \"dialog\" }", "{ scope = \"x\", ttl = -1 }", "{ ttl = 0/0 }", "{ url = \"http://x/\" }",
  "{ method = \"GET\", url = \"http://127.0.0.1:1/\", headers = { a = {} } }", "\"o\"", "{ timeout = 1/0 }",
}
local METATABLES = {
  "{ __index = function(t, k) return k end }", "{ __index = string }", "{ __metatable = false }",
  "{ __call = pcall }", "{ __call = coroutine.yield }", "{ __tostring = error }", "{ __gc = pcall }",
  "{ __len = function() return 1e9 end }", "{ __eq = rawequal, __lt = rawequal, __le = rawequal }",
  "{ __concat = tostring, __add = select }", "{ __pairs = next, __ipairs = next }", "{ __mode = \"kv\" }",
  "{ __newindex = rawset }", "{ __newindex = coroutine.wrap(next) }", "nil", "_G", "string",
}

local KINDS = {
  a = function(g) return g:expression() end,
  n = function(g) return g.chance:one_of(values.numbers) end,
  i = function(g) return g.chance:one_of(values.indexes) end,
  s = function(g)
    return g.chance:one_in(3) and g:variable "s" or g.chance:one_of(values.strings)
  end,
  p = function(g) return g.chance:one_of(values.patterns) end,
  m = function(g) return g.chance:one_of(values.formats) end,
  r = function(g) return g.chance:one_in(2) and g:argument "f" or g.chance:one_of(REPLACEMENTS) end,
  t = function(g)
    return g.chance:one_in(2) and g:variable "t" or g.chance:one_of(values.tables)
  end,
  f = function(g)
    if g.nesting > 3 then return g:variable "f" end
    g.nesting = g.nesting + 1
    local text = g.chance:weighted(FUNCTIONS)(g)
    g.nesting = g.nesting - 1
    return text
  end,
  c = function(g)
    return g.chance:one_of {
      "shared.co", "shared.co", "coroutine.running()", "coroutine.create(" .. g:argument "f" .. ")",
      g:variable "c",
    }
  end,
  b = function(g) return g.chance:one_of { "true", "false" } end,
  k = function(g) return g:key() end,
  w = function(g) return g.chance:one_of(METATABLES) end,
  o = function(g) return g.chance:one_of(OPTIONS) end,
}

---An argument of a kind (fuzz.programs.library), sometimes of another.
function M:argument(kind)
  self.nesting = self.nesting or 0
  if self.chance:one_in(6) then
    return self.chance:one_in(2) and self:variable() or self:literal()
  end
  return KINDS[kind](self)
end

---What is written inside a function of one line has that function's `...`.
function M:inside_vararg(method, ...)
  local was = self.vararg
  self.vararg = method == "list"
  local text = self[method](self, ...)
  self.vararg = was
  return text
end

---The arguments for a signature: those that are needed, some of the others, rarely a wrong number.
function M:arguments(signature)
  local out, optional = {}, false
  for kind in signature:gmatch "." do
    if kind == "." then
      optional = true
    elseif kind == "*" then
      for _ = 1, self.chance:int(0, 3) do out[#out + 1] = self:expression() end
    elseif not optional or self.chance:one_in(2) then
      out[#out + 1] = self:argument(kind)
    else
      break
    end
  end
  if self.chance:one_in(12) then out[#out] = nil end
  if self.chance:one_in(12) then out[#out + 1] = self:literal() end
  if self.vararg and self.chance:one_in(15) then out[#out + 1] = "..." end
  return table.concat(out, ", ")
end

---A call of something, mostly with fitting arguments.
function M:call()
  self.nesting = (self.nesting or 0) + 1
  local text
  if self.nesting < 4 and self.chance:one_in(4) then
    text = ("(%s)(%s)"):format(self:argument "f", self:list(2))
  else
    local name, signature = self:function_name()
    text = ("%s(%s)"):format(name, self:arguments(signature))
  end
  self.nesting = self.nesting - 1
  return text
end

local OPERATORS = {
  "+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or",
}

local EXPRESSIONS = {
  { 10, function(g) return g:variable() end },
  { 8, function(g) return g:literal() end },
  { 7, function(g) return g:call() end },
  { 3, function(g) return ("(%s %s %s)"):format(g:expression(), g.chance:one_of(OPERATORS), g:expression()) end },
  { 1, function(g) return ("%s%s"):format(g.chance:one_of { "-", "not ", "#" }, g:variable()) end },
  { 3, function(g) return ("%s[%s]"):format(g:variable(), g:key()) end },
  { 1, function(g) return ("%s.%s"):format(g:variable(), g.chance:one_of { "x", "next", "n" }) end },
  { 2, function(g) return ("{ %s }"):format(g:list(3)) end },
  { 1, function(g) return ("{ x = %s, [%s] = %s }"):format(g:expression(), g:key(), g:expression()) end },
  { 2, function(g) return ("setmetatable({ %s }, %s)"):format(g:expression(), g:argument "w") end },
  { 2, function(g) return g:argument "f" end },
  { 1, function(g) return g.vararg and "..." or "nil" end },
  { 1, function(g) return ("select(%s, %s)"):format(g:argument "i", g:list(3)) end },
  { 1, function(g) return ("(%s):%s(%s)"):format(g.chance:one_of(values.strings),
    g.chance:one_of { "rep", "len", "upper", "byte", "gsub", "format", "x" }, g:expression()) end },
}

---Any expression, nested at most a few times.
function M:expression()
  self.nesting = (self.nesting or 0) + 1
  local text
  if self.nesting > 4 then
    text = self.chance:one_in(2) and self:variable() or self:literal()
  else
    text = self.chance:weighted(EXPRESSIONS)(self)
  end
  self.nesting = self.nesting - 1
  return text
end

return M
