-- Metatables, as authors use them.

return {
  { name = "has classes with inheritance", must = { gives = { "Rex says woof", "Tom makes a sound", true } }, source = [[
    local Animal = {} Animal.__index = Animal
    function Animal.new(class, name) return setmetatable({ name = name }, class) end
    function Animal:speak() return self.name .. " makes a sound" end
    local Dog = setmetatable({}, { __index = Animal }) Dog.__index = Dog
    function Dog:speak() return self.name .. " says woof" end
    local rex, tom = Animal.new(Dog, "Rex"), Animal.new(Animal, "Tom")
    return rex:speak(), tom:speak(), getmetatable(rex) == Dog]] },
  { name = "calculates with vectors", must = { gives = { "(4, 6)", true, "(-1, -2)", 5, "(2, 4)", true } }, source = [[
    local V = {} V.__index = V
    local function vec(x, y) return setmetatable({ x = x, y = y }, V) end
    V.__add = function(a, b) return vec(a.x + b.x, a.y + b.y) end
    V.__mul = function(a, k) return vec(a.x * k, a.y * k) end
    V.__unm = function(a) return vec(-a.x, -a.y) end
    V.__eq = function(a, b) return a.x == b.x and a.y == b.y end
    V.__lt = function(a, b) return a.x < b.x end
    V.__tostring = function(a) return "(" .. a.x .. ", " .. a.y .. ")" end
    V.__call = function(a) return math.sqrt(a.x * a.x + a.y * a.y) end
    return tostring(vec(1, 2) + vec(3, 4)), vec(1, 2) == vec(1, 2), tostring(-vec(1, 2)), vec(3, 4)(), tostring(vec(1, 2) * 2),
      vec(1, 0) < vec(2, 0)]] },
  { name = "has default values", must = { gives = { 0, 5 } },
    source = "local t = setmetatable({}, { __index = function() return 0 end }) t.a = 5 return t.b, t.a" },
  { name = "has read-only tables", must = { gives = { false, "main.lua:2: read-only" } }, source = [[
    local t = setmetatable({}, { __newindex = function() error("read-only", 2) end })
    return pcall(function() t.x = 1 end)]] },
  { name = "watches what is written", must = { gives = { { "a=1", "b=2" } } }, source = [[
    local log, values = {}, {}
    local function watch(_, k, v) log[#log + 1] = k .. "=" .. v values[k] = v end
    local t = setmetatable({}, { __index = values, __newindex = watch })
    t.a = 1
    t.b = 2
    return log]] },
  { name = "joins objects to texts", must = { gives = { "[x]y", "z[x]" } }, source = [[
    local m = {}
    m.__concat = function(a, b) return (type(a) == "table" and "[x]" or a) .. (type(b) == "table" and "[x]" or b) end
    local o = setmetatable({}, m)
    return o .. "y", "z" .. o]] },
  { name = "computes fields when they are asked for", must = { gives = { 16, 1 } }, source = [[
    local n = 0
    local t = setmetatable({}, { __index = function(t, k) n = n + 1 local v = k * k rawset(t, k, v) return v end })
    return t[4] and t[4], n]] },
  { name = "hides its metatable", must = { gives = { "private", false } }, source = [[
    local t = setmetatable({}, { __metatable = "private" })
    return getmetatable(t), (pcall(setmetatable, t, {}))]] },
  { name = "has privacy by closures", must = { gives = { 150, "nil" } }, source = [[
    local function account(balance)
      local self = {}
      function self.deposit(n) balance = balance + n return balance end
      return self
    end
    local a = account(100)
    return a.deposit(50), tostring(a.balance)]] },
  { name = "has a state machine", must = { gives = { "idle>asking>confirming>done" } }, source = [[
    local states = {
      idle = { start = "asking" }, asking = { answer = "confirming", cancel = "idle" },
      confirming = { yes = "done", no = "asking" }, done = {},
    }
    local at, path = "idle", { "idle" }
    for _, event in ipairs { "start", "answer", "yes" } do
      at = assert(states[at][event], "no way from " .. at)
      path[#path + 1] = at
    end
    return table.concat(path, ">")]] },
  { name = "dispatches by name", must = { gives = { "help!", "unknown: x" } }, source = [[
    local commands = setmetatable({ help = function() return "help!" end },
      { __index = function(_, k) return function() return "unknown: " .. k end end })
    return commands.help(), commands.x()]] },
  { name = "tells its listeners", must = { gives = { 12 } }, source = [[
    local Bus = { list = {} }
    function Bus:on(name, f) self.list[name] = self.list[name] or {} table.insert(self.list[name], f) end
    function Bus:emit(name, ...) for _, f in ipairs(self.list[name] or {}) do f(...) end end
    local sum = 0
    Bus:on("add", function(n) sum = sum + n end)
    Bus:on("add", function(n) sum = sum + n * 2 end)
    Bus:emit("add", 4)
    Bus:emit "nothing"
    return sum]] },
  { name = "counts the members of a set", must = { gives = { 3, true, false } }, source = [[
    local Set = {} Set.__index = Set
    function Set.of(...) local s = setmetatable({ n = 0 }, Set) for _, v in ipairs { ... } do s:add(v) end return s end
    function Set:add(v) if not rawget(self, "_" .. v) then self["_" .. v] = true self.n = self.n + 1 end return self end
    function Set:has(v) return self["_" .. v] == true end
    local s = Set.of("a", "b", "a"):add "c"
    return s.n, s:has "b", s:has "z"]] },
}
