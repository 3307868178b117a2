local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

describe("parley check", function()
  local home
  before_each(function() home = assert(temporary.folder()) end)

  local function plugin(name, files)
    local dir = home .. "/plugins/" .. name
    assert(fs.mkdir(dir .. "/locales"))
    assert(fs.mkdir(dir .. "/lib"))
    files["manifest.json"] = ([[{ "schema": "v1alpha", "name": "%s", "version": "1.0.0", "api": "1", "transport": "lua",
      "commands": [{ "name": "%s" }] }]]):format(name, name)
    for file, text in pairs(files) do assert(fs.write(dir .. "/" .. file, text)) end
    return dir
  end

  local function main(name, body)
    return ("local p = parley.plugin()\np.on.command('%s', function(c)\n%s\nend)\nreturn p\n"):format(name, body)
  end

  local function run(...)
    local r = programs.parley { ... }
    return r.code, r.out, r.err
  end
  local function check() return run("check", "--home", home) end

  it("has nothing to say of the plugins that ship", function()
    local code, out, err = check()
    assert.equal(0, code)
    assert.equal("all is well: 5 plugins, 0 rules\n", out, err)
  end)

  it("says what is wrong with the triggers", function()
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/triggers.lua", "return {\n{ id = 'A', event = 'x' } }"))
    local code, _, err = check()
    assert.equal(78, code)
    assert.equal("parley: " .. home .. "/conf/triggers.lua:2: trigger 'A': act: a list of actions expected, "
      .. "like { { notify = \"admins\" } }\n", err)
  end)

  it("warns of commands that Telegram does not show", function()
    local name = ("n"):rep(33)
    local dir = plugin(name, { ["main.lua"] = main(name, "") })
    local _, out = check()
    assert.matches(dir .. "/manifest.json:1: warning: commands[0]: Telegram shows no command of more than 32 characters",
      out, 1, true)
  end)

  it("warns of permissions that are used and not declared, or declared and not used", function()
    local dir = plugin("asker", { ["main.lua"] = main("asker", [[
  -- c.kv:get "remark"
  local r = c.http:get("https://api.example.org/")
  c.kv:set("last", r.status)
  c.kv:get "last"
  local job = "x"
  c:schedule { ["in"] = 1, job = job }]]), ["lib/more.lua"] = "return function(ctx) return ctx.llm:chat 'hi' end" })
    assert(fs.write(dir .. "/manifest.json", [[{ "schema": "v1alpha", "name": "asker", "version": "1.0.0", "api": "1",
  "transport": "lua", "commands": [{ "name": "asker" }],
  "permissions": [
    "jobs", "http:api.example.org",
    "history"
  ] }]]))
    local code, out = run("plugin", "check", dir)
    assert.equal(0, code)
    local function line(file, number, message) return ("%s/%s:%d: warning: %s\n"):format(dir, file, number, message) end
    local add = ": add it to \"permissions\" in manifest.json"
    assert.equal(line("lib/more.lua", 1, "ctx.llm:chat needs the permission 'llm:chat'" .. add)
      .. line("main.lua", 5, "c.kv:set needs the permission 'kv'" .. add)
      .. line("manifest.json", 5, "permissions: 'history' is not used"), out)
  end)

  it("warns of menus that nothing makes", function()
    local dir = plugin("shop", { ["main.lua"] = [[
local p = parley.plugin()
p.menu("main", function() return { text = "x", rows = { { { text = "T", menu = "item" }, { text = "U", back = "top" } } } } end)
p.on.command("shop", function(c) c:menu "main" end) -- c:menu "remark"
p.on.any(function(c) c:menu("lost") end)
return p
]] })
    local _, out = check()
    assert.equal(table.concat({
      dir .. "/main.lua:2: warning: there is no p.menu(\"item\", ...)",
      dir .. "/main.lua:2: warning: there is no p.menu(\"top\", ...)",
      dir .. "/main.lua:4: warning: there is no p.menu(\"lost\", ...)",
    }, "\n"), out:match "^(.-)\nnothing")
  end)

  it("warns of jobs, conversations and secrets that are named otherwise elsewhere", function()
    local dir = plugin("gym", { ["main.lua"] = [[
local p = parley.plugin()
p.conversation("join", function(c) c:reply "x" end)
p.on.state("age", function(c) c:reply "x" end)
p.on.job("weekly", function(c) c:reply "x" end)
p.on.command("gym", function(c, what)
  c:enter "jion"
  c:enter("age")
  c:enter("age" .. what)
  c:every { seconds = 60, job = "wekly" }
  c:schedule { ["in"] = 60, job = "weekly" } -- c:schedule { job = "remark" }
  c.log:info(tostring(c.secret.other) .. tostring(c.secret.price_key), { menu = "mine", job = "mine" })
end)
return p
]] })
    assert(fs.write(dir .. "/manifest.json", [[{ "schema": "v1alpha", "name": "gym", "version": "1.0.0", "api": "1",
  "transport": "lua", "commands": [{ "name": "gym" }], "permissions": ["jobs"], "secrets": ["price_key"] }]]))
    local _, out = run("plugin", "check", dir)
    assert.equal(table.concat({
      dir .. "/main.lua:6: warning: there is no p.on.state(\"jion\", ...), nor a p.conversation of this name."
        .. " Did you mean 'join'?",
      dir .. "/main.lua:9: warning: there is no p.on.job(\"wekly\", ...). Did you mean 'weekly'?",
      dir .. "/main.lua:11: warning: manifest.json does not name 'other' in \"secrets\", so no request is made with it",
      "",
    }, "\n"), out)
  end)

  it("warns of globals that are set, wherever they are", function()
    local dir = plugin("gym", { ["main.lua"] = main("gym", [[
  local a, s = 1, "text"
  a, err = a + 1, s
  local function inner()
    return function() if a == 3 then total = a end end
  end
  c:reply(s .. tostring(inner()))]]), ["lib/more.lua"] = "local M = {}\nfunction helper() return 1 end\nM.x = 2\nreturn M\n" })
    local _, out = run("plugin", "check", dir)
    assert.equal(table.concat({
      dir .. "/lib/more.lua:2: warning: global 'helper' is not declared: use 'local helper'",
      dir .. "/main.lua:4: warning: global 'err' is not declared: use 'local err'",
      dir .. "/main.lua:6: warning: global 'total' is not declared: use 'local total'",
      "",
    }, "\n"), out)
  end)

  it("warns of intents that have one name in the manifest and another in the code", function()
    local dir = plugin("gym", { ["main.lua"] = "local p = parley.plugin()\np.on.command('gym', function() end)\n"
      .. "p.on.intent('gym.join', function() end)\nreturn p\n" })
    assert(fs.write(dir .. "/manifest.json", [[{ "schema": "v1alpha", "name": "gym", "version": "1.0.0", "api": "1",
  "transport": "lua", "commands": [{ "name": "gym" }],
  "intents": [{ "name": "gym.joni", "examples": ["let me in"] }] }]]))
    local code, out = run("plugin", "check", dir)
    assert.equal(0, code)
    assert.equal(dir .. "/main.lua:1: warning: p.on.intent(\"gym.join\", ...): manifest.json does not name this intent, "
      .. "so it never comes. Did you mean 'gym.joni'?\n"
      .. dir .. "/manifest.json:3: warning: intents: main.lua has no p.on.intent(\"gym.joni\", ...). "
      .. "Did you mean 'gym.join'?\n", out)
    assert(fs.write(dir .. "/main.lua", "local p = parley.plugin()\np.on.command('gym', function() end)\n"
      .. "p.on.any(function() end)\nreturn p\n"))
    local _, said = run("plugin", "check", dir)
    assert.equal("", said)
  end)

  it("warns of the texts that are missing in every plugin of the home, and would start", function()
    local one = plugin("one", {
      ["main.lua"] = main("one", "  c:reply(c:t 'a')"),
      ["locales/en.json"] = '{ "a": "A", "n": { "one": "1", "other": "2" } }',
      ["locales/uk.json"] = '{ "n": { "one": "1", "other": "2" } }',
    })
    local two = plugin("two", {
      ["main.lua"] = main("two", [[
  -- c:t "remark"
  c:reply(c:t("nowhere", { n = 1 }) .. c:t "here" .. c:t("here" .. 1))
  require("more")(c)]]),
      ["lib/more.lua"] = "return function(c)\n  return ctx and c:t(c.x .. '.y'), c:t 'lost'\nend\n",
      ["locales/en.json"] = '{ "here": "A" }',
    })
    local code, out = check()
    assert.equal(0, code)
    assert.equal(table.concat({
      one .. "/locales/uk.json:1: warning: 'a' is missing; en.json has it",
      one .. "/locales/uk.json:1: warning: 'n' has no plural form 'few'",
      one .. "/locales/uk.json:1: warning: 'n' has no plural form 'many'",
      two .. "/lib/more.lua:2: warning: 'lost' is in no locales/*.json, so users read the key",
      two .. "/main.lua:4: warning: 'nowhere' is in no locales/*.json, so users read the key",
      "nothing that stops a start, 5 warnings: 7 plugins, 0 rules",
      "",
    }, "\n"), out)
    code, out = run("check", "-o", "json", "--home", home)
    assert.equal(0, code)
    local found = json.decode(out)
    assert.equal(7, found.plugins)
    assert.equal(5, #found.warnings)
    assert.same({
      file = two .. "/main.lua", line = 4, severity = "warning",
      message = "'nowhere' is in no locales/*.json, so users read the key",
    }, found.warnings[5])
  end)

  it("refuses texts that are none, as a start does, with file and line", function()
    local dir = plugin("one", {
      ["main.lua"] = main("one", "  c:reply 'x'"), ["locales/en.json"] = '{ "a": "A",\n  "b": 5 }',
    })
    local problem = "locales/en.json:2: b: a text, or an object of its plural forms expected\n"
    local code, out, err = check()
    assert.equal(78, code)
    assert.equal("", out)
    assert.equal("parley: " .. dir .. "/" .. problem, err)
    code, out = run("plugin", "check", "one", "--home", home)
    assert.equal(78, code)
    assert.equal(dir .. "/" .. problem:gsub(":2: ", ":2: error: "), out)
  end)
end)
