local fs = require "host.fs"
local rules = require "parley.rules"

local function load(source) return assert(rules.new(source, "conf/rules.lua")) end

local function verdict(source, message, context)
  local r = load(source)
  local v, err = r:evaluate(rules.view(message, context))
  r:close()
  return v, err
end

describe("rules", function()
  it("route by all of their conditions", function()
    local source = [[return {
      { name = "hours", match = { text = { "^hours", "^години" }, channel = "telegram" }, route = { plugin = "faq" } },
      { match = { command = { "stop", "/quit" } }, unless = { role = "admin" }, route = { drop = true } },
      { match = { locale = "uk" }, route = { intent = "ua.any" } },
      { match = { type = "photo" }, route = { reply = "nice" } },
      { match = { contains = "%d" }, route = { plugin = "plain" } },
      { match = { state = "asking", user = "u1", dialog = "d1" }, route = { plugin = "talk" } },
    }]]
    for _, case in ipairs {
      { { text = "hours?" }, { channel = "telegram" }, { plugin = "faq", rule = "hours" } },
      { { text = "години роботи", channel = "telegram" }, {}, { plugin = "faq", rule = "hours" } },
      { { text = "hours?" }, { channel = "api" }, nil },
      { { text = "/stop now" }, {}, { drop = true, rule = "rule 2" } },
      { { text = "/quit" }, {}, { drop = true, rule = "rule 2" } },
      { { text = "/stop" }, { user = { role = "admin" } }, nil }, { { text = "/stopped" }, {}, nil },
      { { text = "x" }, { user = { locale = "uk-UA" } }, { intent = "ua.any", rule = "rule 3" } },
      { { text = "x", locale = "uk" }, {}, { intent = "ua.any", rule = "rule 3" } }, { { text = "x", locale = "ukx" }, {}, nil },
      { { type = "photo" }, {}, { reply = "nice", rule = "rule 4" } },
      { { text = "100%d" }, {}, { plugin = "plain", rule = "rule 5" } }, { { text = "1000" }, {}, nil },
      { { text = "x" }, { state = "asking", dialog_id = "d1", user = { id = "u1" } }, { plugin = "talk", rule = "rule 6" } },
      { { text = "x" }, { state = "asking", dialog_id = "d2", user = { id = "u1" } }, nil },
    } do
      local v, err = verdict(source, case[1], case[2])
      assert.is_nil(err)
      assert.same(case[3], v)
    end
  end)

  it("may be functions, which see the message only", function()
    local source = [[return { function(m)
      if m.text == "ping" then return { plugin = "echo" } end
      if m.text == "env" then
        return { tags = { type(os.getenv), type(io), type(require), type(host), type(export), type(load) } }
      end
    end }]]
    assert.same({ plugin = "echo", rule = "rule 1" }, verdict(source, { text = "ping" }))
    assert.is_nil((verdict(source, { text = "pong" })))
    local v = verdict(source, { text = "env" })
    assert.same({ "nil", "nil", "function", "nil", "nil", "nil" }, v.tags)
  end)

  it("collect tags and locale until one decides", function()
    local source = [[return {
      { route = { tags = { "all" } } },
      { match = { text = "vip" }, route = { tags = { "vip" }, locale = "uk" } },
      { match = { text = "go" }, route = { plugin = "p", tags = { "went" } } },
      { route = { tags = { "late" }, locale = "ru" } },
    }]]
    assert.same({ tags = { "all", "late" }, locale = "ru" }, verdict(source, { text = "x" }))
    assert.same({ tags = { "all", "vip", "went" }, locale = "uk", plugin = "p", rule = "rule 3" },
      verdict(source, { text = "vip go" }))
  end)

  for source, message in pairs {
    ["return 7"] = "must return a list of rules, got number",
    ["return { x = 1 }"] = "there is a key 'x'",
    ["return { 7 }"] = "rule 1: a table or a function expected, got number",
    ["return { { match = {} } }"] = "rule 1: 'route' is missing",
    ["return { { name = 'a', route = { plugn = 'x' } } }"] = "rule 1 'a': unknown key 'plugn' in route (known: drop,",
    ["return { { match = { txt = 'x' }, route = {} } }"] = "rule 1: unknown key 'txt' in match",
    ["return { { macth = {}, route = {} } }"] = "unknown key 'macth' in the rule",
    ["return { { match = { text = 5 }, route = {} } }"] = "match.text: a text or a list",
    ["return { { match = { text = '(' }, route = {} } }"] = "match.text[1]:",
    ["return { { route = { plugin = 5 } } }"] = "route.plugin: a text expected, got number",
    ["return {\n{ name = }\n}"] = "conf/rules.lua:2:",
    ["local x = nil\nreturn { x.y }"] = "conf/rules.lua:2:",
    ["x = 1 return {}"] = "global 'x' is not declared",
    ["while true do end"] = "conf/rules.lua",
  } do
    it("are refused: " .. source:gsub("\n", " "), function()
      local r, err = rules.new(source, "conf/rules.lua")
      assert.is_nil(r)
      assert.equal("rules", err.code)
      assert.is_truthy(err.message:find(message, 1, true), err.message)
      assert.is_truthy(err.message:find("conf/rules.lua", 1, true), err.message)
    end)
  end

  it("that fail or run away give an error, and answer the next message", function()
    local r = load [[return { function(m)
      if m.text == "loop" then while true do end end
      if m.text == "memory" then local t = {} while true do t[#t + 1] = ("x"):rep(1e6 + #t) end end
      if m.text == "error" then error("oops") end
      if m.text == "shape" then return { plugin = {} } end
      return { plugin = "ok" }
    end }]]
    for text, code in pairs { loop = "cpu_limit", memory = "memory_limit", error = "exception", shape = "exception" } do
      local v, err = r:evaluate { text = text }
      assert.is_nil(v)
      assert.equal(code, err.code, text)
      assert.equal("ok", assert(r:evaluate { text = "x" }).plugin)
    end
    r:close()
  end)

  it("cannot change the rules from a message", function()
    local r = load [[local n = 0 return { function(m) m.text = "changed" return { plugin = "a" } end }]]
    local view = { text = "x" }
    r:evaluate(view)
    assert.equal("x", view.text)
    r:close()
  end)

  it("ship empty, and a file that is missing holds none", function()
    local r = assert(rules.load(fs.data_dir() .. "/conf/rules.lua"))
    assert.equal(0, r.count)
    assert.is_nil(r:evaluate { text = "x" })
    r:close()
    r = assert(rules.load "/nonexistent/rules.lua")
    assert.equal(0, r.count)
    r:close()
  end)
end)

describe("the line of a rule", function()
  local lines = require "parley.rules.lines"

  it("is found behind comments, strings and other tables", function()
    local source = [==[
local other = { { 1 } } -- return { "not this"
local text = "return {"
local function f()
  return { { 1 }, { 2 } }
end
--[[ return {
  { ]]
return {
  -- { a rule in a comment },
  { name = "a }", match = { text = { "x", '}' } }, route = {} }, { name = [[ } ]], route = {} },

  { route = {} };
}
]==]
    assert.same({ 10, 10, 12 }, { lines.of(source, 1), lines.of(source, 2), lines.of(source, 3) })
    assert.is_nil(lines.of(source, 4))
  end)

  it("is not guessed where the list is made otherwise", function()
    for _, source in ipairs {
      "local r = {} return r", "return { f, {} }", "return { function() return {} end, {} }", "return {", "", "return { {} ",
    } do
      assert.is_nil(lines.of(source, 2), source)
    end
  end)
end)
