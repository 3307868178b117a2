-- The definitions that editors read (templates/editor/types) say what the SDK has: no more, no less.

local actions = require "parley.schema.actions"
local fs = require "host.fs"
local json = require "host.json"
local reference = require "parley.reference.definitions"
local schema = require "parley.schema.v1alpha"
local parts = require("parley.plugins.sdk").PARTS
local temporary = require "parley.util.temporary"

local TYPES = "templates/editor/types/"

local function keys(...)
  local out = {}
  for _, t in ipairs { ... } do
    for k in pairs(t) do if not tostring(k):find "^_" then out[k] = true end end
  end
  return out
end

local function items()
  local out = {}
  for _, section in ipairs(reference.read(TYPES)) do
    for _, item in ipairs(section.items) do out[#out + 1] = item end
  end
  return out
end

-- The classes of the definitions: what each has as a field or as a function.
local function definitions()
  local classes = {}
  for _, file in ipairs(fs.list(TYPES)) do
    assert(loadstring(assert(fs.read(TYPES .. file)), "@" .. TYPES .. file))
  end
  local owners = {}
  for _, item in ipairs(items()) do
    if not item.call and not item.alias then
      assert.is_nil(classes[item.name], item.name .. " is defined twice")
      classes[item.name] = {}
      for _, field in ipairs(item.fields) do classes[item.name][field.name] = true end
      if item.owner then owners[item.owner] = classes[item.name] end
    end
  end
  for _, item in ipairs(items()) do
    if item.call then assert(owners[item.owner], item.call)[item.name] = item.parameters end
  end
  return classes
end

-- The globals of a sandboxed state, built here without touching those of this one.
local function environment()
  local fake = setmetatable({
    getmetatable = function() return {} end, -- that of strings stays as it is
    math = { randomseed = function() end }, export = function() end, clock_ms = function() return 0 end,
    lib = { insert_except = function() end, rep_within = function() end, match = string.match },
  }, { __index = _G })
  return assert(loadstring(require("parley.engine.prelude").text()))(fake)
end

-- What a read-only view, or an object, looks up.
local function behind(proxy) return debug.getmetatable(proxy).__index end

-- `parley` and the maker of contexts, as the host loads them.
local function sdk()
  local env = setmetatable({
    host = function() end, array_mt = {}, null = json.null, freeze = function(_, t) return t end,
    export = function() end, clock_ms = function() return 0 end, call_id = function() end, moments = {}, torn = {},
    utf8 = behind(environment().utf8),
  }, { __index = _G })
  local context
  for _, file in ipairs(parts) do
    setfenv(assert(loadfile("lua/parley/sdk/" .. file .. ".lua")), env)("mine", {})
    context = context or env.parley.context
  end
  return env.parley, context
end

describe("the definitions for editors", function()
  local classes, parley, on, c, methods
  setup(function()
    classes = definitions()
    local new
    parley, new = sdk()
    on = parley.plugin().on
    c = new { dialog = {}, event = {}, intent = {}, trace_id = "t", invoked_by = "x" } -- as a handler gets it
    methods = behind(c)
  end)

  it("have what parley and its handlers have", function()
    assert.same(keys(parley), keys(classes.parley))
    assert.same(keys(parley.json), keys(classes["parley.json"]))
    assert.same(keys(on), keys(classes["parley.on"]))
    assert.same(keys(behind(parley.text())), keys(classes["parley.Text"]))
  end)

  it("have what the context and its services have", function()
    assert.same(keys(c, methods), keys(classes["parley.Context"]))
    for _, service in ipairs { "kv", "http", "llm", "log" } do
      assert.same(keys(methods[service]), keys(classes["parley." .. service]), service)
    end
  end)

  it("name as many parameters as the functions take", function()
    local checked = 0
    for class, o in pairs {
      ["parley.Context"] = { methods, self = 1 }, ["parley.Text"] = { behind(parley.text()), self = 1 },
      ["parley.http"] = { methods.http, self = 1 }, ["parley.log"] = { methods.log, self = 1 },
      ["parley.on"] = { on, self = 0 }, ["parley.json"] = { parley.json, self = 0 },
    } do
      for name, parameters in pairs(classes[class]) do
        if parameters ~= true then
          assert.equal(debug.getinfo(o[1][name], "u").nparams - o.self, #parameters, class .. "." .. name)
          checked = checked + 1
        end
      end
    end
    assert.is_true(checked > 40)
  end)

  it("have what the sandbox has of utf8 and os", function()
    local env = environment()
    assert.same(keys(behind(env.utf8)), keys(classes["parley.utf8"]))
    assert.same(keys(behind(env.os)), keys(classes["parley.os"]))
    local settings = json.decode(fs.read "templates/editor/.luarc.json")
    for library in pairs(settings["runtime.builtin"]) do
      assert.is_true(env[library] == nil or library == "os", library)
    end
  end)

  it("have the fields of a reply, a button and a message that the contract has", function()
    local send = keys(actions.types.send.properties)
    send.type, send.menu = nil, nil -- the host's
    assert.same(send, keys(classes["parley.Reply"]))
    local button = keys(actions.types.send.properties.buttons.items.items.properties)
    button.plugin = nil -- the host's
    assert.same(button, keys(classes["parley.Button"]))
    local keyboard = actions.types.send.properties.keyboard.properties
    assert.same(keys(keyboard), keys(classes["parley.Keyboard"]))
    assert.same(keys(keyboard.rows.items.items.properties), keys(classes["parley.Key"]))
    assert.same(keys(schema.DialogMessageCreateV1.properties), keys(classes["parley.Message"]))
  end)

  it("have what the test kit has", function()
    local fields = { requests = true, chats = true }
    assert.same(keys(require "parley.testkit", fields), keys(classes["parley.testkit"], classes["parley.TestkitBot"]))
  end)

  it("have every field that a handler is given", function()
    local dir = assert(temporary.folder()) .. "/dump"
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "dump", version = "1.0.0", api = "1", transport = "lua",
      commands = { { name = "dump" } }, intents = { { name = "dump.it", examples = { "dump all of it", "dump it" } } },
      permissions = { "jobs" },
    }))
    assert(fs.write(dir .. "/main.lua", [[
local p = parley.plugin()
local function dump(c)
  local out = {}
  for _, name in ipairs { "user", "dialog", "intent", "event" } do
    local list = {}
    for key in pairs(c[name] or {}) do list[#list + 1] = key end
    out[name] = list
  end
  c:reply(parley.json.encode(out))
end
p.on.command("dump", function(c)
  dump(c)
  c:schedule { ["in"] = 1, job = "later", data = { a = 1 } }
end)
p.on.intent("dump.it", dump)
p.on.job("later", dump)
return p
]]))
    local bot = require("parley.testkit").start { dir = dir }
    local n = 0
    for _, reply in ipairs { bot:say "/dump", bot:say "dump all of it", bot:advance(2)[1] } do
      for name, list in pairs(json.decode(reply.text)) do
        local class = classes["parley." .. name:gsub("^%l", string.upper)]
        for _, key in ipairs(list) do
          assert.is_truthy(class[key], name .. "." .. key)
          n = n + 1
        end
      end
    end
    bot:stop()
    assert.is_true(n > 20)
  end)
end)
