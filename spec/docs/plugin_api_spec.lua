-- The API reference and the plugin guide: what they say is what there is.

local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local markdown = require "parley.reference.markdown"
local programs = require "spec.support.process"

local EXAMPLES = "templates/reference/"

-- Every function of the definitions.
local function functions()
  local out = {}
  for _, section in ipairs(markdown.sections "templates") do
    for _, item in ipairs(section.items) do
      if item.call then out[#out + 1] = { section = section, f = item } end
    end
  end
  return out
end

describe("docs/plugin-api.md", function()
  it("is what `parley types --markdown` prints", function()
    local page = fs.read "docs/plugin-api.md"
    assert(page == markdown.page "templates", "build/parley types --markdown > docs/plugin-api.md")
    local r = programs.parley { "types", "--markdown" }
    assert.same({ 0, #page }, { r.code, #r.out })
  end)

  it("describes every function, its parameters and their types", function()
    local all = functions()
    assert.is_true(#all > 90)
    for _, one in ipairs(all) do
      local f = one.f
      assert.is_true(#f.text > 0, f.call .. " has no description")
      local names = {}
      for i, p in ipairs(f.params) do
        names[i] = p.name
        assert.is_true(#p.type > 0, f.call .. ": " .. p.name)
      end
      assert.same(f.parameters, names, f.call)
    end
  end)

  it("has each function in an example of its section, or of another", function()
    local code = {}
    for _, name in ipairs(fs.list(EXAMPLES)) do
      code[#code + 1] = fs.read(EXAMPLES .. name .. "/main.lua")
      code[#code + 1] = fs.read(("%s%s/spec/%s_spec.lua"):format(EXAMPLES, name, name))
    end
    code = table.concat(code, "\n")
    for _, one in ipairs(functions()) do
      local call = one.f.call:gsub("%p", "%%%0"):gsub("^text", "")
      assert(code:find(call .. "%f[^%w_]"), one.f.call .. " is in no example")
      assert.is_truthy(one.section.example, one.section.title)
    end
  end)

  for _, name in ipairs(fs.list(EXAMPLES)) do
    it("has an example that works: " .. name, function()
      local r = programs.parley({ "plugin", "check", EXAMPLES .. name }, { stderr = "stdout" })
      assert.equal("0 1 plugin checked: 0 errors, 0 warnings\n", r.code .. " " .. r.out)
      r = programs.parley({ "plugin", "test", EXAMPLES .. name }, { stderr = "stdout" })
      assert.equal(0, r.code, r.out)
    end)
  end
end)

describe("docs/plugin-guide.md", function()
  local page = fs.read "docs/plugin-guide.md"

  -- What there is behind a name: the fields of its class, and its functions.
  local function members()
    local out, classes = {}, {}
    for _, section in ipairs(markdown.sections "templates") do
      for _, item in ipairs(section.items) do
        local owner = item.call and item.call:match "^(.*)[.:]"
        if owner then
          out[owner] = out[owner] or {}
          out[owner][item.name] = true
        else
          classes[item.name] = item
        end
      end
    end
    for owner, class in pairs {
      c = "parley.Context", p = "parley.Plugin", parley = "parley", bot = "parley.TestkitBot",
    } do
      for _, field in ipairs(classes[class].fields) do out[owner][field.name] = true end
    end
    for owner, class in pairs {
      ["c.message"] = "parley.Message", ["c.user"] = "parley.User", ["c.dialog"] = "parley.Dialog",
      ["c.intent"] = "parley.Intent", ["c.event"] = "parley.Event",
    } do
      out[owner] = {}
      for _, field in ipairs(classes[class].fields) do out[owner][field.name] = true end
    end
    return out
  end

  it("names nothing that there is not", function()
    local known, n = members(), 0
    for owner, names in pairs(known) do
      for name in page:gmatch("%f[%w_.:]" .. owner:gsub("%.", "%%.") .. "[.:]([%l_][%w_]*)") do
        assert(names[name] or name == "testkit", ("%s.%s: there is no such thing"):format(owner, name))
        n = n + 1
      end
    end
    assert.is_true(n > 150)
  end)

  it("names every function of a plugin", function()
    local missing = {}
    for _, one in ipairs(functions()) do
      if not page:find("%f[%w_]" .. one.f.name .. "%f[^%w_]") then missing[#missing + 1] = one.f.call end
    end
    assert.same({}, missing)
  end)

  -- Pieces of a main.lua. Those of a handler's inside stand in one.
  it("has code that a plugin may consist of", function()
    local n = 0
    for code in page:gmatch "\n```lua\n(.-)\n```" do
      code = code:gsub("%) %.%.%. end", ") end") -- whatever it does
      if not code:find "^local p = " then
        if not code:find "%f[%w]p%.%a" then code = "p.on.any(function(c)\n" .. code .. "\nend)" end
        code = "local p = parley.plugin()\n" .. code .. "\nreturn p\n"
      end
      local ok, err = pcall(function()
        local h = host.start {
          plugins = {
            guide = {
              main = code,
              manifest = {
                data_version = code:find("p.migrate", 1, true) and 2 or nil,
                permissions = json.array { "kv", "jobs", "files", "telegram", "llm:chat", "events" },
              },
              files = { ["lib/prices.lua"] = "return { small = 1 }" },
            },
          },
        }
        h:stop()
      end)
      assert(ok, tostring(err) .. "\n" .. code)
      n = n + 1
    end
    assert.is_true(n > 5)
  end)
end)
