-- Metatables and metamethods: hooks that run where the author of the sandbox did not think of it.

return {
  { name = "answers __tostring with no string",
    source = "local s = tostring(setmetatable({}, { __tostring = function() return {} end }))",
    must = { raises = "main.lua:1: '__tostring' must return a string" } },
  { name = "tells an address by tostring of a table",
    source = "return tostring({}), tostring(pcall), tostring(coroutine.create(pcall))",
    must = { gives = { "table", "function", "thread" } } },
  { name = "tells an address by tostring of null", source = "return tostring(null)", must = { gives = { "null" } } },
  { name = "tells an address by string.format", source = "return string.format('%s %s', {}, pcall)",
    must = { gives = { "table function" } } },
  { name = "tells an address in an error about a key",
    source = "local t = setmetatable({}, { __newindex = function(_, k) error(tostring(k)) end })\nt[{}] = 1",
    must = { raises = "main.lua:1: table" } },
  { name = "hides its metatable from the sandbox's own tostring", must = { gives = { "mine" } },
    source = "return tostring(setmetatable({}, { __metatable = 'locked', __tostring = function() return 'mine' end }))" },
  { name = "protects a metatable with a lie",
    source = "return getmetatable(setmetatable({}, { __metatable = string })) == string",
    must = { gives = { true } } },
  { name = "never ends in a chain of __index", must = { raises = "main.lua:3: loop in gettable" }, source = [[
    local t = setmetatable({}, {})
    getmetatable(t).__index = t
    return t.x]] },
  { name = "never ends in a chain of __newindex", must = { raises = "main.lua:3: loop in settable" }, source = [[
    local t = setmetatable({}, {})
    getmetatable(t).__newindex = t
    t.x = 1]] },
  { name = "collects itself with __gc", must = { gives = { 0 } }, source = [[
    local ran = 0
    for i = 1, 2000 do setmetatable({}, { __gc = function() ran = ran + 1 end }) end
    for i = 1, 2e5 do local garbage = { i } end
    return ran]] },
  { name = "makes the host run its __index",
    source = "return door('x', setmetatable({}, { __index = function() error 'ran' end }))",
    must = { ends = "invalid", says = "$: a table with a metatable cannot cross" } },
  { name = "makes the host run its __pairs",
    source = "return door('x', setmetatable({}, { __pairs = function() error 'ran' end }))",
    must = { ends = "invalid", says = "$: a table with a metatable cannot cross" } },
  { name = "makes the host run its __tostring",
    source = "error(setmetatable({}, { __tostring = function() while true do end end }))",
    must = { raises = "error value of type table" } },
  { name = "makes the host run its __eq", must = { gives = { false } },
    source = "local m = { __eq = function() return true end } return rawequal(setmetatable({}, m), setmetatable({}, m))" },
  { name = "changes a metatable while it is asked", must = { gives = { 1, 2 } }, source = [[
    local m = {}
    m.__index = function(t, k) m.__index = function() return 2 end return 1 end
    local t = setmetatable({}, m)
    return t.a, t.b]] },
  { name = "takes the keys of a weak table away while it walks", must = { gives = { true } }, source = [[
    local t = setmetatable({}, { __mode = "kv" })
    for i = 1, 1000 do t[{}] = {} end
    for k in pairs(t) do
      for i = 1, 50 do local garbage = { {}, {} } end
      t[k] = nil
    end
    return next(t) == nil or true]] },
  { name = "calls through __call of pcall", must = { gives = { true, true, false, "attempt to call a table value" } },
    source = "local m = {} m.__call = pcall local t = setmetatable({}, m) return (pcall(t, t, t)), pcall(pcall, {})" },
  { name = "compares without an order", source = "return setmetatable({}, { __lt = 1 }) < setmetatable({}, { __lt = 1 })",
    must = { raises = "attempt to call a number value" } },
  { name = "calls a __call that is no function", source = "local t = setmetatable({}, {}) getmetatable(t).__call = t\nt()",
    must = { raises = "main.lua:2: attempt to call local 't' (a table value)" } },
  { name = "gives the length of a table a hook", source = "return #setmetatable({}, { __len = function() return 1e9 end })",
    must = { gives = { 0 } } },
  { name = "writes a library through a __newindex that is one",
    source = "local t = setmetatable({}, { __newindex = string })\nt.sub = 1",
    must = { raises = "main.lua:2: the library table 'string' is read-only (writing 'sub')" } },
  { name = "declares a global through a __newindex that is _G",
    source = "local t = setmetatable({}, { __newindex = _G })\nt.evil = 1",
    must = { raises = "main.lua:2: global 'evil' is not declared: use 'local evil'" } },
  { name = "writes a library through a __newindex that is rawset", must = { gives = { "function", 1 } }, source = [[
    local t = setmetatable({}, { __newindex = rawset })
    t.sub = 1
    return type(string.sub), rawget(t, "sub")]] },
  { name = "uses a library as a metatable", must = { gives = { "function" } },
    source = "setmetatable({}, string) setmetatable({}, _G) return type(string.sub)" },
  { name = "goes through a chain of a hundred tables", must = { gives = { false } }, source = [[
    local t = { x = 1 }
    for _ = 1, 120 do t = setmetatable({}, { __index = t }) end
    return (pcall(function() return t.x end))]] },
  { name = "has hooks that are functions of the library", must = { gives = { "k", false, "ab" } }, source = [[
    local t = setmetatable({}, { __index = function(_, k) return k end, __call = rawset, __concat = string.rep })
    pcall(t, "a", 1)
    return t.k, (pcall(function() return t .. 2 end)), setmetatable({}, { __index = string }).rep("ab", 1)]] },
  { name = "prints by a hook that is no function", must = { gives = { false, false, false } }, source = [[
    local function try(v) return (pcall(tostring, setmetatable({}, { __tostring = v }))) end
    return try(1), try({}), try(setmetatable({}, { __call = 1 }))]] },
  { name = "changes whether a table is weak while it is walked", must = { gives = { true } }, source = [[
    local m = { __mode = "k" }
    local t = setmetatable({}, m)
    for i = 1, 500 do t[{}] = i t[i] = {} end
    for k in pairs(t) do
      m.__mode = m.__mode == "k" and "v" or "k"
      for _ = 1, 20 do local garbage = { {} } end
    end
    return true]] },
  { name = "gives weak tables each other as keys", must = { gives = { true } }, memory = 1024 * 1024, cpu_ms = 10000, source = [[
    for _ = 1, 3000 do
      local a, b = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
      a[b], b[a] = a, b
    end
    return true]] },
  { name = "raises in a hook while the library changes its table", must = { gives = { 3, 1 } }, source = [[
    local t = setmetatable({ 1, 2, 3 }, { __index = function() error "read" end, __newindex = function() error "written" end })
    pcall(table.insert, t, 1, 0) pcall(table.remove, t, 1) pcall(table.sort, t)
    return #t, t[1] ]] },
}
