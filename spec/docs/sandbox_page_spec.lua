-- docs/sandbox.md names all that there is in the sandbox, and nothing that is not.

local fs = require "host.fs"
local rings = require "spec.support.rings"

local prelude = require("parley.engine.prelude").text()

-- The rows of the table under "What there is": name of the library, or "globals", -> names.
local function rows()
  local page = assert(fs.read "docs/sandbox.md"):match "\n## What there is\n(.-)\n## "
  local out = {}
  for where, names in page:gmatch "\n| `?(%w+)`? | ([^|]+) |" do
    if where ~= "where" then
      out[where] = {}
      for name in names:gmatch "`([%w_]+)`" do table.insert(out[where], name) end
      table.sort(out[where])
    end
  end
  return out
end

-- What a fresh state has. Libraries are views, so their names are taken where the environment is made.
local function environment()
  local made = {}
  local fake = setmetatable({
    getmetatable = function() return {} end, -- that of strings stays as it is
    setmetatable = function(t, mt)
      if type(mt) == "table" and type(mt.__index) == "table" and mt.__metatable == false then made[t] = mt.__index end
      return setmetatable(t, mt)
    end,
    math = setmetatable({ randomseed = function() end }, { __index = math }),
    export = function() end, clock_ms = function() return 0 end, lib = setmetatable({
      match = string.match, insert_except = function() return function() end end,
      rep_within = function() return function() end end,
    }, { __index = function() return function() end end }),
  }, { __index = function(_, name)
    if name:find "^co_" then return function() end end
    return _G[name]
  end })
  local globals = assert(loadstring(prelude))(fake)
  return made[globals], made
end

describe("docs/sandbox.md", function()
  it("names what there is, and nothing else", function()
    local globals, made = environment()
    local there = { globals = {} }
    for name, value in pairs(globals) do
      table.insert(there.globals, name)
      if made[value] and value ~= globals._G then
        there[name] = {}
        for member in pairs(made[value]) do table.insert(there[name], member) end
        table.sort(there[name])
      end
    end
    -- Gone when the state is sealed.
    for _, name in ipairs {
      "host", "export", "array_mt", "freeze", "clock_ms", "call_id", "moments", "torn", "tracing_pcall", "traced",
    } do
      for i, global in ipairs(there.globals) do
        if global == name then table.remove(there.globals, i) end
      end
    end
    table.insert(there.globals, "null")
    table.sort(there.globals)
    assert.same(there, rows())
  end)

  it("names what both rings have", function()
    local source = {}
    for where, names in pairs(rows()) do
      for _, name in ipairs(names) do
        source[#source + 1] = ("if %s%s == nil then return %q end"):format(
          where == "globals" and "_G." or where .. ".", name, where .. "." .. name)
      end
    end
    for _, ring in ipairs(rings) do
      local sb = assert(ring.new { name = "page", memory = 4 * 1024 * 1024, prelude = prelude })
      assert.equal("done", (sb:start("seal", 1000, 10)))
      assert(sb:compile("main", table.concat(source, "\n"), "@main.lua"))
      assert.same({ "done" }, { sb:start("main", 1000, 10) })
      sb:close()
    end
  end)
end)

-- The source of the environment: lua/parley/engine.
describe("the source of the sandbox", function()
  local text = {}
  setup(function()
    for _, name in ipairs { "sandbox", "strings", "tables", "utf8" } do
      text[#text + 1] = assert(fs.read("lua/parley/engine/" .. name .. ".lua"))
    end
    text = table.concat(text, "\n")
  end)

  it("gives a reason for everything that is taken from LuaJIT as it is", function()
    local n = 0
    for line in text:gmatch "[^\n]+" do
      if line:find '^%s+"%w+",' and not line:find "%f[%w]error%(" then
        assert.matches(" %-%- %a", line)
        n = n + 1
      end
    end
    assert.is_true(n > 10, n .. " lines")
  end)

  it("gives a reason for everything that is left out", function()
    local reasons = {}
    for comment in text:gmatch "Left out[^\n]*\n[^\n]+" do reasons[#reasons + 1] = comment end
    for comment in text:gmatch "\n(%-%-   [^\n]+)" do reasons[#reasons + 1] = comment end
    reasons = table.concat(reasons, "\n")
    local there = rows()
    local function check(where, names)
      local allowed = where == "table" and { pack = true, unpack = true } or {} -- busted adds them to the core's
      for _, name in ipairs(there[where] or {}) do allowed[name] = true end
      for name in pairs(names) do
        if not allowed[name] then assert.matches("%f[%w]" .. name .. "%f[%W]", reasons) end
      end
    end
    for _, name in ipairs { "string", "table", "math", "os", "coroutine" } do check(name, _G[name]) end
    check("bit", require "bit")
    local stock = {}
    for name in ([[assert collectgarbage coroutine debug dofile error gcinfo getfenv getmetatable io ipairs jit load loadfile
      loadstring math module newproxy next os package pairs pcall print rawequal rawget rawset require select setfenv
      setmetatable string table tonumber tostring type unpack xpcall]]):gmatch "%w+" do stock[name] = true end
    check("globals", stock)
  end)
end)
